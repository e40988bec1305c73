"""Hosted pages of Stripe's: what became of one, whoever asks.  Source: billing.md 14.3 A, B."""

from billing.cards import settle_setup_intent
from billing.models import TopUp
from billing.stripe_gateway import payments
from billing.top_up_settling import end_unpaid, settle_payment_intent

_UNPAID = ("requires_payment_method", "canceled")


def settle_session(session_id: str, *, account_id: int | None = None) -> TopUp | None:
    """Save the card or credit the payment of a page, or note that it expired; its top-up, if it sold one.

    account_id: settle it only for this account; what is somebody else's is passed over. Raises StripeFailure.
    """
    session = payments.find_session(session_id)
    if session.mode == "setup":
        if session.setup_intent_id:
            settle_setup_intent(session.setup_intent_id)
        return None
    top_up = TopUp.objects.filter(pk=session.reference).first()
    if top_up is None or account_id not in (None, top_up.account_id):
        return None
    if session.payment_intent_id:
        settle_payment_intent(session.payment_intent_id)
    if session.status == "expired":
        end_unpaid(top_up, reason="The payment page expired unused.", state=TopUp.State.EXPIRED)
    elif session.status == "complete" and session.payment_status == "unpaid":
        _end_if_refused(top_up, session.payment_intent_id)
    top_up.refresh_from_db()
    return top_up


def _end_if_refused(top_up: TopUp, payment_intent_id: str) -> None:
    """A debit of a bank account that was under way when the page was left has failed."""
    intent = payments.find_payment(payment_intent_id)
    if intent.status in _UNPAID:
        end_unpaid(top_up, reason=intent.message or "The payment failed.", decline_code=intent.decline_code)
