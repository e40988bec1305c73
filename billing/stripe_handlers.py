"""Which events are asked for, and what follows from each: a function of the id of the object it is about.

Every handler fetches the object anew and may run at any time and any number of times.  Source: billing.md 14.5.
"""

from collections.abc import Callable, Mapping

from billing import card_refunds, cards, checkout, customers, disputes, invoice_settling, payouts, top_ups

Handler = Callable[[str], object]


HANDLERS: Mapping[str, Handler] = {
    "checkout.session.completed": checkout.settle_session,
    "checkout.session.expired": checkout.settle_session,
    "checkout.session.async_payment_succeeded": checkout.settle_session,
    "checkout.session.async_payment_failed": checkout.settle_session,
    "setup_intent.succeeded": cards.settle_setup_intent,
    "payment_intent.succeeded": top_ups.settle_payment_intent,
    "payment_intent.payment_failed": top_ups.settle_payment_intent,
    "payment_intent.processing": top_ups.settle_payment_intent,
    "payment_intent.requires_action": top_ups.settle_payment_intent,
    "payment_intent.canceled": top_ups.settle_payment_intent,
    "payment_method.detached": cards.settle_card,
    "payment_method.updated": cards.settle_card,
    "payment_method.automatically_updated": cards.settle_card,
    "customer.deleted": customers.settle_customer,
    "refund.created": card_refunds.settle_refund,
    "refund.updated": card_refunds.settle_refund,
    "refund.failed": card_refunds.settle_refund,
    "charge.dispute.created": disputes.settle_dispute,
    "charge.dispute.updated": disputes.settle_dispute,
    "charge.dispute.closed": disputes.settle_dispute,
    "charge.dispute.funds_withdrawn": disputes.settle_dispute,
    "charge.dispute.funds_reinstated": disputes.settle_dispute,
    "radar.early_fraud_warning.created": card_refunds.heed_fraud_warning,
    "invoice.paid": invoice_settling.settle_invoice,
    "invoice.payment_failed": invoice_settling.settle_invoice,
    "invoice.payment_action_required": invoice_settling.settle_invoice,
    "payout.paid": payouts.settle_payout,
    "payout.failed": payouts.settle_payout,
}

# What is asked for beyond what is handled: kept for whoever looks into a payment's history.
EVENT_TYPES = (
    *HANDLERS,
    "charge.refunded",
    "customer.updated",
    "payment_method.attached",
    "setup_intent.setup_failed",
)
