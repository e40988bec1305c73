"""What ends an invoice: a payment through Stripe or by transfer, a void, a write-off; each posted once.

Only books are moved here; what Stripe has to be told of it waits for `collection`, which looks at invoices whose
`next_collection_at` has come.  Source: billing.md 6.3, 8.5, 12, 14.3 D.
"""

import datetime

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import audit
from accounts.models import User
from billing import accounts, credit, dunning, ledger, mails, notices, restriction
from billing.cents import minor_as_decimal_string, nanos_per_minor
from billing.ledger import Entry
from billing.models import BillingAccount, Invoice, LedgerTxn
from billing.money import in_words
from billing.notices import MoneyEvent
from billing.numbers import take_number
from billing.stripe_gateway import invoicing
from billing.stripe_gateway.objects import StripeInvoice
from marketplace.lib.problems import Conflict, FieldError, ValidationFailed

log = structlog.get_logger(__name__)
UNPAID = (Invoice.State.OPEN, Invoice.State.PAST_DUE)


def settle_invoice(stripe_invoice_id: str) -> Invoice | None:
    """Let our invoice follow Stripe's: paid there, it is paid here. None for an invoice that is none of ours.

    May be called at any time and any number of times, outside of transactions. Raises StripeFailure.
    """
    found = invoicing.find_invoice(stripe_invoice_id)
    invoice = Invoice.objects.filter(Q(stripe_invoice_id=found.id) | Q(pk=found.invoice_id)).first()
    if invoice is None or (found.currency, found.status) != (invoice.currency, "paid"):
        return invoice
    if found.total_cents != invoice.total_cents:
        log.error("stripe_invoice_differs", invoice=invoice.pk, ours=invoice.total_cents, stripes=found.total_cents)
        return invoice
    with transaction.atomic():
        payer = accounts.lock(invoice.account_id)
        invoice.refresh_from_db()
        _receive(payer, invoice, found)
    return invoice


def pay_by_hand(actor: User, invoice: Invoice, *, reference: str) -> Invoice:
    """An operator saw the money of an unpaid invoice on the bank account.

    reference: of the transfer; the same one again is no second payment. Raises ValidationFailed without one, Conflict
    for an invoice that is not to be paid.
    """
    if not reference.strip():
        raise ValidationFailed([FieldError("/reference", "Must name the transfer.")])
    with transaction.atomic():
        payer, invoice = _locked(invoice)
        key = f"invoice:{invoice.pk}:manual:{reference.strip()}"[:160]
        if invoice.state == Invoice.State.PAID and LedgerTxn.objects.filter(key=key).exists():
            return invoice
        _ensure_unpaid(invoice)
        _post_paid(invoice, key, "invoice_paid_by_hand", "bank")
        _paid(payer, invoice)
        _have_stripe_told(invoice)
        audit.record(actor, "pay_invoice", f"invoice/{invoice.number}", reason=reference)
    return invoice


def void(actor: User | None, invoice: Invoice, *, reason: str) -> Invoice:
    """Take an unpaid invoice back: what it billed is unbilled again, and on the next one. Raises Conflict."""
    with transaction.atomic():
        _, invoice = _locked(invoice)
        _ensure_unpaid(invoice)
        issued = LedgerTxn.objects.get(key=f"invoice:{invoice.pk}:issued")
        ledger.reverse(issued, kind="invoice_voided", key=f"invoice:{invoice.pk}:voided")
        _end(invoice, Invoice.State.VOID)
        _have_stripe_told(invoice)
        if actor:
            audit.record(actor, "void_invoice", f"invoice/{invoice.number}", reason=reason)
        restriction.lift_if_clear(accounts.lock(invoice.account_id))
        accounts.tell_changed(invoice.account_id)
    return invoice


def write_off(actor: User, invoice: Invoice, *, reason: str) -> Invoice:
    """A person gives an unpaid invoice up. The account stays as restricted as it is. Raises Conflict."""
    with transaction.atomic():
        _, invoice = _locked(invoice)
        _ensure_unpaid(invoice)
        entries = [Entry("bad_debt", _nanos(invoice)), Entry(f"receivable:{invoice.account_id}", -_nanos(invoice))]
        ledger.post(f"writeoff:{invoice.pk}", "write_off", entries, currency=invoice.currency)
        _end(invoice, Invoice.State.UNCOLLECTIBLE)
        _have_stripe_told(invoice)
        audit.record(actor, "write_off_invoice", f"invoice/{invoice.number}", reason=reason)
        accounts.tell_changed(invoice.account_id)
    return invoice


def credit_note(actor: User, invoice: Invoice, *, amount_cents: int, reason: str) -> str:
    """Give a part of a paid invoice back as credit; the note's number. An unpaid invoice is voided instead.

    amount_cents: above 0; all notes of an invoice together at most its total. Raises ValidationFailed, Conflict.
    """
    with transaction.atomic():
        payer, invoice = _locked(invoice)
        if invoice.state != Invoice.State.PAID:
            raise Conflict("Only what was paid can be credited; void an unpaid invoice.")
        earlier = LedgerTxn.objects.filter(kind="credit_note", meta__invoice=invoice.pk)
        left = invoice.total_cents - sum(int(txn.meta["cents"]) for txn in earlier)
        if not 0 < amount_cents <= left:
            raise ValidationFailed([FieldError("/amount_cents", f"Must be above 0 and at most {left}.")])
        number = take_number("creditnote")
        nanos = amount_cents * nanos_per_minor(invoice.currency)
        entries = [Entry("service_credits", nanos), Entry(f"wallet:{payer.pk}", -nanos)]
        meta = {"invoice": invoice.pk, "cents": amount_cents, "reason": reason}
        key = f"creditnote:{number}"
        txn, _ = ledger.post(key, "credit_note", entries, currency=invoice.currency, meta=meta)
        credit.fill_wallet(txn, payer.pk, amount_nanos=nanos, source=key, reason=reason)
        shown = in_words(nanos)
        audit.record(actor, "credit_invoice", f"invoice/{invoice.number}", reason=reason, amount=shown, note=number)
        accounts.tell_changed(payer.pk)
    return number


def _receive(payer: BillingAccount, invoice: Invoice, found: StripeInvoice) -> None:
    """Post a payment that Stripe shows, once; the caller holds the lock."""
    if found.paid_out_of_band:
        if invoice.state not in UNPAID:
            return
        is_new = _post_paid(invoice, f"invoice:{invoice.pk}:manual:stripe", "invoice_paid_by_hand", "bank")
    else:
        is_new = _post_paid(invoice, f"stripe:invoice:{found.id}:paid", "invoice_paid", "psp_clearing")
    if not is_new:
        return
    if invoice.state in UNPAID:
        _paid(payer, invoice)
    else:
        log.error("invoice_paid_though_ended", invoice=invoice.pk, state=invoice.state)


def _post_paid(invoice: Invoice, key: str, kind: str, where: str) -> bool:
    entries = [Entry(where, _nanos(invoice)), Entry(f"receivable:{invoice.account_id}", -_nanos(invoice))]
    return ledger.post(key, kind, entries, currency=invoice.currency)[1]


def _paid(payer: BillingAccount, invoice: Invoice) -> None:
    """The state, the account's status, and who is told."""
    was_suspended = dunning.has_suspended(invoice.collection_tries)
    _end(invoice, Invoice.State.PAID, paid_at=timezone.now())
    others = Invoice.objects.filter(account_id=payer.pk, state=Invoice.State.PAST_DUE)
    if was_suspended and not others.filter(collection_tries__gte=invoice.collection_tries).exists():
        suspended = BillingAccount.objects.filter(pk=payer.pk, status=BillingAccount.Status.SUSPENDED)
        suspended.update(status=BillingAccount.Status.RESTRICTED)
    restriction.lift_if_clear(payer)
    accounts.tell_changed(payer.pk)
    total = minor_as_decimal_string(invoice.total_cents, invoice.currency)
    data = {"number": invoice.number, "total": total, "currency": invoice.currency}
    notices.tell(payer.pk, MoneyEvent.INVOICE_PAID, f"invoice/{invoice.pk}", **data)
    mails.send_after_commit(payer.pk, f"Invoice {invoice.number} is paid", f"{in_words(_nanos(invoice))}. Thank you.")


def _end(invoice: Invoice, state: Invoice.State, *, paid_at: datetime.datetime | None = None) -> None:
    """It is not asked for any more."""
    invoice.state, invoice.paid_at, invoice.next_collection_at = state, paid_at, None
    invoice.save(update_fields=["state", "paid_at", "next_collection_at"])


def _have_stripe_told(invoice: Invoice) -> None:
    """By the next sweep, if Stripe knows the invoice."""
    if invoice.stripe_invoice_id:
        invoice.next_collection_at = timezone.now()
        invoice.save(update_fields=["next_collection_at"])


def _locked(invoice: Invoice) -> tuple[BillingAccount, Invoice]:
    """The account, locked, and its invoice as it is now: its state moves only under that lock."""
    payer = accounts.lock(invoice.account_id)
    return payer, Invoice.objects.get(pk=invoice.pk)


def _ensure_unpaid(invoice: Invoice) -> None:
    if invoice.state not in UNPAID:
        raise Conflict(f"The invoice is {invoice.get_state_display().lower()}.")


def _nanos(invoice: Invoice) -> int:
    return invoice.total_cents * nanos_per_minor(invoice.currency)
