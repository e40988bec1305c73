"""The reconciliation with Stripe: what the ledger has there is what lies there, and nothing is unexplained.

Source: billing.md 16.2 `stripe`, I21.
"""

from collections.abc import Iterator

from billing import ledger, stripe_movements
from billing.cents import nanos_per_minor
from billing.models import StripeEvent
from billing.reconciliation import Difference, job
from billing.stripe_gateway import balance, transport

_CURRENCY = "usd"
_LOOKS = 3  # a payment may come between the list of movements and the balance


@job("stripe")
def check_stripe() -> Iterator[Difference]:
    """Movements fit their postings, `psp_clearing` is Stripe's balance, suspense is empty, no event is dead."""
    if not transport.is_configured():
        return
    for _ in range(_LOOKS):
        differences = stripe_movements.explain_all()
        at_stripe = balance.balance_cents(_CURRENCY) * nanos_per_minor(_CURRENCY)
        clearing = ledger.balance("psp_clearing", _CURRENCY)
        if clearing == at_stripe:
            break
    yield from differences
    if clearing != at_stripe:
        yield Difference("psp_clearing", f"the ledger has {clearing} nanos, Stripe has {at_stripe}")
    if lying := ledger.balance("suspense", _CURRENCY):
        yield Difference("suspense", f"{lying} nanos that nothing explains")
    for event_id in StripeEvent.objects.filter(state=StripeEvent.State.DEAD).values_list("pk", flat=True):
        yield Difference(f"event/{event_id}", "could not be processed")
