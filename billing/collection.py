"""Collect invoices: hand each to Stripe, charge the card or send it, and ask again on the days of the schedule.

Every call has a key that comes from the invoice and the attempt, so that whoever dies in between, or runs beside
another, repeats what was said. Without Stripe invoices are paid by transfer, and the schedule reminds.
Source: billing.md 8.5, 12, 14.3 D.
"""

import datetime

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from billing import accounts, cards, customers, dunning, invoice_settling, mails, notices, restriction
from billing.cents import minor_as_decimal_string, nanos_per_minor
from billing.invoice_settling import UNPAID
from billing.models import BillingAccount, Invoice
from billing.money import in_words
from billing.notices import MoneyEvent
from billing.payment_problems import PaymentsUnavailable
from billing.stripe_gateway import invoicing, transport
from billing.stripe_gateway.errors import Declined, Refused, StripeFailure
from billing.stripe_gateway.objects import StripeInvoice

log = structlog.get_logger(__name__)
MOST_LINES = 250  # that Stripe takes; the CSV file has them all


def collect_due(now: datetime.datetime | None = None) -> int:
    """Do what is due for every invoice; how many. What fails at Stripe stays due and is tried by the next sweep."""
    now = now or timezone.now()
    due = Invoice.objects.filter(next_collection_at__lte=now).order_by("next_collection_at")
    count = 0
    for invoice in due:
        try:
            collect(invoice, now=now)
            count += 1
        except (StripeFailure, PaymentsUnavailable) as error:
            log.error("invoice_not_collected", invoice=invoice.pk, error=type(error).__name__)
    return count


def collect(invoice: Invoice, *, now: datetime.datetime) -> None:
    """Take one invoice's next step. Outside of transactions. Raises StripeFailure, PaymentsUnavailable."""
    if invoice.state not in UNPAID:
        _tell_stripe(invoice)
        return
    if transport.is_configured() and not _hand_over(invoice):
        return
    assert invoice.due_at is not None
    due = dunning.step_at(invoice.due_at, invoice.collection_tries)
    if due is None or due[1] > now:
        moment = due[1] if due else None
        Invoice.objects.filter(pk=invoice.pk, state__in=UNPAID).update(next_collection_at=moment)
        return
    step, _ = due
    refusal = _charge(invoice) if step.collects else ""
    if refusal is None:
        return
    _note_unpaid(invoice, step, refusal)


def _hand_over(invoice: Invoice) -> bool:
    """Make Stripe's invoice of ours, once; False where its total differs: then both are void and nobody pays."""
    if invoice.hosted_url:
        return True
    card = cards.find_default(invoice.account_id)
    customer_id = customers.ensure_customer(invoice.account_id)
    if invoice.stripe_invoice_id is None:
        made = invoicing.create_invoice(
            invoice_id=invoice.pk,
            customer_id=customer_id,
            currency=invoice.currency,
            number=invoice.number,
            days_until_due=None if card else settings.BILLING_INVOICE_DUE_DAYS,
        )
        Invoice.objects.filter(pk=invoice.pk).update(stripe_invoice_id=made.id)
        invoice.stripe_invoice_id = made.id
    found = invoicing.find_invoice(invoice.stripe_invoice_id)
    if found.status == "draft":
        found = _complete(invoice, invoice.stripe_invoice_id, customer_id)
    if found.total_cents != invoice.total_cents or found.currency != invoice.currency:
        log.error("stripe_invoice_differs", invoice=invoice.pk, ours=invoice.total_cents, stripes=found.total_cents)
        _void_everywhere(invoice)
        return False
    if not card:
        invoicing.send_invoice(found.id, invoice_id=invoice.pk)
    Invoice.objects.filter(pk=invoice.pk).update(hosted_url=found.hosted_url)
    invoice.hosted_url = found.hosted_url
    return True


def _complete(invoice: Invoice, stripe_invoice_id: str, customer_id: str) -> StripeInvoice:
    """Its lines, then the end of its draft."""
    for position, description, cents in _lines_for_stripe(invoice):
        invoicing.add_invoice_line(
            stripe_invoice_id,
            invoice_id=invoice.pk,
            position=position,
            customer_id=customer_id,
            cents=cents,
            currency=invoice.currency,
            description=description,
        )
    return invoicing.finalize_invoice(stripe_invoice_id, invoice_id=invoice.pk)


def _lines_for_stripe(invoice: Invoice) -> list[tuple[int, str, int]]:
    """(position, description, cents) of lines that are something; beyond what Stripe takes they are one."""
    lines = [
        (line.position, line.description, line.amount_cents)
        for line in invoice.lines.order_by("position")
        if line.amount_cents
    ]
    if len(lines) <= MOST_LINES:
        return lines
    shown, rest = lines[: MOST_LINES - 1], lines[MOST_LINES - 1 :]
    return [*shown, (rest[0][0], f"{len(rest)} more lines", sum(cents for _, _, cents in rest))]


def _charge(invoice: Invoice) -> str | None:
    """Charge the saved card; why it was not charged, None if it was. "" where there is no card to charge."""
    card = cards.find_default(invoice.account_id)
    if invoice.stripe_invoice_id is None or card is None:
        return ""
    attempt = invoice.collection_tries + 1
    try:
        invoicing.pay_invoice(invoice.stripe_invoice_id, invoice_id=invoice.pk, attempt=attempt, card_id=card.pk)
    except Declined as declined:
        return declined.message
    except Refused as refused:
        log.warning("invoice_payment_refused", invoice=invoice.pk, code=refused.code)  # it may be paid already
    settled = invoice_settling.settle_invoice(invoice.stripe_invoice_id)
    return None if settled and settled.state not in UNPAID else "The payment was not completed."


def _note_unpaid(invoice: Invoice, step: dunning.Step, refusal: str) -> None:
    """The step is made, and the invoice unpaid: its state, the account's status, the next step, and a mail."""
    with transaction.atomic():
        payer = accounts.lock(invoice.account_id)
        rows = Invoice.objects.filter(pk=invoice.pk, state__in=UNPAID, collection_tries=invoice.collection_tries)
        assert invoice.due_at is not None
        following = dunning.step_at(invoice.due_at, invoice.collection_tries + 1)
        if not rows.update(
            state=Invoice.State.PAST_DUE,
            collection_tries=invoice.collection_tries + 1,
            next_collection_at=following[1] if following else None,
        ):
            return
        if step.status == BillingAccount.Status.SUSPENDED:
            open_ones = BillingAccount.objects.filter(pk=payer.pk).exclude(status=BillingAccount.Status.CLOSED)
            open_ones.update(status=step.status)
            accounts.tell_changed(payer.pk)
        elif step.status == BillingAccount.Status.RESTRICTED:
            restriction.restrict(payer)
        total = minor_as_decimal_string(invoice.total_cents, invoice.currency)
        data = {"number": invoice.number, "total": total, "currency": invoice.currency}
        notices.tell(payer.pk, MoneyEvent.INVOICE_FAILED, f"invoice/{invoice.pk}", **data)
        mails.send_after_commit(payer.pk, f"Invoice {invoice.number} is unpaid", _mail(invoice, step, refusal))


def _mail(invoice: Invoice, step: dunning.Step, refusal: str) -> str:
    amount = in_words(invoice.total_cents * nanos_per_minor(invoice.currency))
    sentences = [f"Invoice {invoice.number} of {amount} is due and not paid.", refusal]
    if step.status:
        sentences.append(f"Your account is {step.status} until it is paid.")
    if invoice.hosted_url:
        sentences.append(f"Pay it here: {invoice.hosted_url}")
    return " ".join(filter(None, sentences))


def _tell_stripe(invoice: Invoice) -> None:
    """An invoice that ended here ends there: nobody may pay it any more."""
    if invoice.stripe_invoice_id and transport.is_configured():
        found = invoicing.find_invoice(invoice.stripe_invoice_id)
        if found.status == "open":
            act = invoicing.note_paid_elsewhere if invoice.state == Invoice.State.PAID else invoicing.void_invoice
            act(invoice.stripe_invoice_id, invoice_id=invoice.pk)
    Invoice.objects.filter(pk=invoice.pk).exclude(state__in=UNPAID).update(next_collection_at=None)


def _void_everywhere(invoice: Invoice) -> None:
    """Ours first: if this process dies now, Stripe is told by the next sweep."""
    _tell_stripe(invoice_settling.void(None, invoice, reason="Stripe's total differs"))
