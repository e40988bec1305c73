"""A stand-in for Stripe on loopback: a stateful engine in an environment of its own, and our front before it."""
