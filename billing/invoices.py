"""Close an account's period, or bill it in between: lines, total, number, posting, all in one transaction.

Each runs under the account's lock and takes what was posted after the invoice before, so that every usage posting and
every ledger entry is on exactly one.  Source: billing.md 2.4, 8.3, 12.
"""

from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from billing import accounts, cards, cents, discounts, dunning, invoice_parties, ledger, notices
from billing.invoice_lines import Draft, Due, Kind, Reach, build, reach_now, reach_of
from billing.ledger import Entry
from billing.models import BillingAccount, Invoice, InvoiceLine, UsageRecord
from billing.notices import MoneyEvent
from billing.numbers import take_number
from billing.stripe_gateway import transport
from marketplace.lib.ids import new_id

CLOSING_KINDS = (Invoice.Kind.MONTHLY, Invoice.Kind.STATEMENT)


class InvoiceDoesNotAddUp(Exception):
    """Lines and ledger disagree; nothing was issued. A mistake of the program's, or of somebody with SQL."""


def close_period(account_id: int, period: str) -> Invoice | None:
    """The invoice or statement that closes a month for an account; made now unless it is there.

    period: `YYYY-MM`. It takes all that is posted and not invoiced, whatever day it was used. None where nothing of
    the period, nor of one before, waits for an invoice, and for internal accounts. Raises InvoiceDoesNotAddUp.
    Source: billing.md 12.
    """
    with transaction.atomic():
        payer = accounts.lock(account_id)
        existing = Invoice.objects.filter(account_id=account_id, period=period, kind__in=CLOSING_KINDS).first()
        if existing or not payer.is_charged:
            return existing
        discounts.settle_locked(payer, period)
        previous = _last_invoice(account_id)
        until, due = reach_now(account_id, payer.posting_count)
        if not _is_anything_to_bill(payer, period, previous, due):
            return None
        is_postpaid = payer.mode == BillingAccount.Mode.POSTPAID
        kind = Invoice.Kind.MONTHLY if is_postpaid else Invoice.Kind.STATEMENT
        return _issue(payer, kind, period, previous, due, until)


def issue_interim(account_id: int) -> Invoice | None:
    """Bill a postpaid account now if what it owes has passed its threshold: $50, then twice as much each time.

    None where it has not, or where too little of it is unbilled.  Source: billing.md 8.3.
    """
    with transaction.atomic():
        payer = accounts.lock(account_id)
        if payer.mode != BillingAccount.Mode.POSTPAID or payer.owed_nanos < interim_threshold(payer):
            return None
        period = f"{timezone.now():%Y-%m}"
        discounts.settle_locked(payer, period)
        previous = _last_invoice(account_id)
        until, due = reach_now(account_id, payer.posting_count)
        if not _collectable(due.nanos, payer.currency):
            return None
        return _issue(payer, Invoice.Kind.INTERIM, period, previous, due, until)


def interim_threshold(payer: BillingAccount) -> int:
    """How much a postpaid account may owe, in nanos, before it is billed at once."""
    issued = Invoice.objects.filter(account_id=payer.account_id, kind=Invoice.Kind.INTERIM)
    doublings = min(issued.exclude(state=Invoice.State.VOID).count(), 20)
    first = settings.BILLING_INTERIM_THRESHOLD_CENTS * cents.nanos_per_minor(payer.currency)
    return int(first) << doublings


def line_of(record: UsageRecord) -> InvoiceLine | None:
    """The line that a usage record is billed on; None before it is on an invoice or statement."""
    if record.posting is None:
        return None
    return InvoiceLine.objects.filter(
        kind=Kind.USAGE,
        invoice__account_id=record.account_id,
        invoice__first_seq__lte=record.posting.seq,
        invoice__last_seq__gte=record.posting.seq,
        model_name=record.model_name,
        hardware=record.hardware,
        meter=record.meter,
        price_id=record.price_id,
    ).first()


def records_of(line: InvoiceLine) -> QuerySet[UsageRecord]:
    """The usage records behind a line, oldest first; none behind lines that are not of usage."""
    if line.kind != Kind.USAGE or line.price_id is None:
        return UsageRecord.objects.none()
    invoice = line.invoice
    return UsageRecord.objects.filter(
        account_id=invoice.account_id,
        posting__seq__gte=invoice.first_seq,
        posting__seq__lte=invoice.last_seq,
        model_name=line.model_name,
        hardware=line.hardware,
        meter=line.meter,
        price_id=line.price_id,
    ).order_by("occurred_at", "pk")


def _last_invoice(account_id: int) -> Invoice | None:
    return Invoice.objects.filter(account_id=account_id).order_by("-last_seq", "-unbilled_seq", "-issued_at").first()


def _is_anything_to_bill(payer: BillingAccount, period: str, previous: Invoice | None, due: Due) -> bool:
    """Usage of the period or before; or no usage at all, but something that was voided."""
    invoiced = previous.last_seq if previous else 0
    if payer.posting_count == invoiced:
        return _collectable(due.nanos, payer.currency)
    used = UsageRecord.objects.filter(account_id=payer.account_id, period__lte=period, posting__seq__gt=invoiced)
    return used.exists()


def _collectable(nanos: int, currency: str) -> bool:
    """Is it as much as can be collected? Less is carried."""
    return cents.floor_to_minor(nanos, currency)[0] >= settings.BILLING_COLLECTION_MINIMUM_CENTS


def _issue(
    payer: BillingAccount, kind: Invoice.Kind, period: str, previous: Invoice | None, due: Due, until: Reach
) -> Invoice:
    since = reach_of(previous, payer.account_id)
    lines = build(since, until, carried_nanos=previous.carried_out_nanos if previous else 0, due=due)
    if sum(line.amount_nanos for line in lines) != due.nanos:
        raise InvoiceDoesNotAddUp(f"account {payer.account_id}: the ledger says {due}, the lines are {lines}")
    total, carried = cents.floor_to_minor(due.nanos, payer.currency)
    if not _collectable(due.nanos, payer.currency):
        total, carried = 0, due.nanos
        lines += [Draft(Kind.CARRIED, "Carried over to the next", -carried)] if carried else []
    now = timezone.now()
    invoice_id = new_id()
    entries_made = _post_issued(payer, invoice_id, total * cents.nanos_per_minor(payer.currency), due)
    is_due = total > 0
    by_card = transport.is_configured() and cards.find_default(payer.account_id) is not None
    due_at, next_step_at = dunning.terms(now, by_card=by_card)
    invoice = Invoice.objects.create(
        id=invoice_id,
        account_id=payer.account_id,
        kind=kind,
        number=take_number("statement" if kind == Invoice.Kind.STATEMENT and not is_due else "invoice", now),
        period=period,
        currency=payer.currency,
        first_seq=since.posting_seq + 1,
        last_seq=until.posting_seq,
        unbilled_seq=until.unbilled_seq + ("unbilled" in entries_made),
        wallet_seq=until.wallet_seq + ("wallet" in entries_made),
        carried_in_nanos=previous.carried_out_nanos if previous else 0,
        carried_out_nanos=carried,
        total_cents=total,
        state=Invoice.State.OPEN if is_due else Invoice.State.PAID,
        seller=invoice_parties.seller(),
        buyer=invoice_parties.buyer(payer),
        issued_at=now,
        due_at=due_at if is_due else None,
        next_collection_at=next_step_at if is_due else None,
        paid_at=None if is_due else now,
    )
    _write_lines(invoice, lines)
    notices.tell(
        payer.account_id,
        MoneyEvent.INVOICE_ISSUED,
        f"invoice/{invoice.pk}",
        number=invoice.number,
        total=cents.minor_as_decimal_string(total, invoice.currency),
        currency=invoice.currency,
    )
    return invoice


def _post_issued(payer: BillingAccount, invoice_id: str, nanos: int, due: Due) -> set[str]:
    """Move what is due to what is receivable; the kinds of the customer's accounts that it was taken from."""
    if not nanos:
        return set()
    account_id = payer.account_id
    overrun = min(due.overrun_nanos, nanos)
    entries = [
        Entry(f"receivable:{account_id}", nanos),
        Entry(f"wallet:{account_id}", -overrun),
        Entry(f"unbilled:{account_id}", overrun - nanos),
    ]
    ledger.post(f"invoice:{invoice_id}:issued", "invoice_issued", entries, currency=payer.currency)
    accounts.tell_changed(account_id)
    return {entry.kind for entry in entries if entry.amount_nanos}


def _write_lines(invoice: Invoice, lines: Sequence[Draft]) -> None:
    shown = cents.distribute([line.amount_nanos for line in lines], invoice.total_cents, invoice.currency)
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            invoice=invoice,
            position=position,
            kind=line.kind,
            description=line.description,
            model_name=line.model_name,
            hardware=line.hardware,
            meter=line.meter,
            price_id=line.price_id,
            quantity=line.quantity,
            runs=line.runs,
            amount_nanos=line.amount_nanos,
            amount_cents=amount_cents,
        )
        for position, (line, amount_cents) in enumerate(zip(lines, shown, strict=True), start=1)
    )
