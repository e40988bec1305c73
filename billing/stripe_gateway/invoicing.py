"""Calls that collect an invoice of ours by Stripe.  Source: billing.md 14.3 D.

Amounts are whole cents that we computed. Each call has the key that the invoice gives it. Errors: see `transport`.
"""

from billing.stripe_gateway.objects import StripeInvoice
from billing.stripe_gateway.transport import read, write


def create_invoice(
    *, invoice_id: str, customer_id: str, currency: str, number: str, days_until_due: int | None = None
) -> StripeInvoice:
    """A draft without lines. days_until_due: None charges the saved card, a number sends it by mail with net terms."""
    params = {
        "customer": customer_id,
        "currency": currency,
        "auto_advance": False,
        "pending_invoice_items_behavior": "exclude",
        "description": number,
        "metadata": {"invoice_id": invoice_id},
        "collection_method": "charge_automatically" if days_until_due is None else "send_invoice",
        **({} if days_until_due is None else {"days_until_due": days_until_due}),
    }
    return StripeInvoice.of(write("invoices.create", key=f"inv:{invoice_id}", params=params))


def add_invoice_line(
    stripe_invoice_id: str,
    *,
    invoice_id: str,
    position: int,
    customer_id: str,
    cents: int,
    currency: str,
    description: str,
) -> None:
    """One line of a draft; cents may be below zero."""
    params = {
        "customer": customer_id,
        "invoice": stripe_invoice_id,
        "amount": cents,
        "currency": currency,
        "description": description,
    }
    write("invoice_items.create", key=f"ii:{invoice_id}:{position}", params=params)


def finalize_invoice(stripe_invoice_id: str, *, invoice_id: str) -> StripeInvoice:
    """The draft becomes open. The caller compares the total with ours."""
    params = {"auto_advance": False}
    return StripeInvoice.of(
        write("invoices.finalize_invoice", stripe_invoice_id, key=f"fin:{invoice_id}", params=params)
    )


def void_invoice(stripe_invoice_id: str, *, invoice_id: str) -> StripeInvoice:
    """It will not be collected."""
    return StripeInvoice.of(write("invoices.void_invoice", stripe_invoice_id, key=f"void:{invoice_id}"))


def pay_invoice(stripe_invoice_id: str, *, invoice_id: str, attempt: int, card_id: str) -> StripeInvoice:
    """Charge a saved card; each attempt is a new number. Also raises Declined."""
    params = {"payment_method": card_id, "off_session": True}
    key = f"pay:{invoice_id}:{attempt}"
    return StripeInvoice.of(write("invoices.pay", stripe_invoice_id, key=key, params=params))


def note_paid_elsewhere(stripe_invoice_id: str, *, invoice_id: str) -> StripeInvoice:
    """It was paid, not through Stripe."""
    params = {"paid_out_of_band": True}
    return StripeInvoice.of(write("invoices.pay", stripe_invoice_id, key=f"oob:{invoice_id}", params=params))


def send_invoice(stripe_invoice_id: str, *, invoice_id: str) -> StripeInvoice:
    """Stripe mails it, with the address of its page."""
    return StripeInvoice.of(write("invoices.send_invoice", stripe_invoice_id, key=f"send:{invoice_id}"))


def find_invoice(stripe_invoice_id: str) -> StripeInvoice:
    """The invoice as it is now."""
    return StripeInvoice.of(read("invoices.retrieve", stripe_invoice_id))
