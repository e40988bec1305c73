"""The gateway to Stripe: every call that this site makes, with our own dataclasses in and out.

`transport` alone knows the SDK; `payments`, `invoicing` and `balance` are the calls; `objects` what they answer, and
`errors` how they fail. No call may run in a transaction.  Source: billing.md 14.1, 14.2.
"""
