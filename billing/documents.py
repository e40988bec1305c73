"""Invoices, statements and receipts as data: what their page and their PDF file both show.  Source: billing.md 12."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

from billing import invoice_parties
from billing.cents import nanos_per_minor
from billing.models import BillingAccount, Invoice, TopUp
from billing.money import in_words
from billing.wording import price_in_words, quantity_in_words

_TITLES = {Invoice.Kind.MONTHLY: "Invoice", Invoice.Kind.INTERIM: "Invoice", Invoice.Kind.STATEMENT: "Statement"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what, under it how it was counted, how much."""

    text: str
    detail: str
    amount: str


@dataclass(frozen=True, slots=True)
class Document:
    """facts, totals: labels with their words. path: where its page is, without the site's address."""

    title: str
    number: str
    path: str
    seller: list[str]
    buyer: list[str]
    facts: list[tuple[str, str]]
    rows: list[Row]
    totals: list[tuple[str, str]]
    notes: list[str] = field(default_factory=list)


def invoice_document(invoice: Invoice) -> Document:
    """An invoice or statement, with the names that it was issued with."""
    title = _TITLES[Invoice.Kind(invoice.kind)] if not invoice.total_cents else "Invoice"
    currency = invoice.currency
    lines = invoice.lines.select_related("price").order_by("position")
    facts = [("Number", invoice.number), ("Issued", _day(invoice.issued_at)), ("Period", invoice.period)]
    if invoice.due_at:
        facts.append(("Due", _day(invoice.due_at)))
    facts.append(("State", invoice.get_state_display() if invoice.total_cents else "Nothing due"))
    if invoice.paid_at and invoice.total_cents:
        facts.append(("Paid", _day(invoice.paid_at)))
    tax = [("Tax", _money(invoice.tax_cents, currency))] if invoice.tax_cents else []
    return Document(
        title=title,
        number=invoice.number,
        path=f"/account/invoices/{invoice.number}",
        seller=_address(invoice.seller),
        buyer=_address(invoice.buyer),
        facts=facts,
        rows=[
            Row(
                line.description,
                ", ".join(
                    filter(
                        None,
                        [
                            f"{line.runs:,} run{'' if line.runs == 1 else 's'}" if line.runs else "",
                            quantity_in_words(line.quantity, line.meter) if line.quantity is not None else "",
                            price_in_words(line.price) if line.price else "",
                            f"exactly {in_words(line.amount_nanos)}" if abs(line.amount_nanos) < _CENT else "",
                        ],
                    )
                ),
                _money(line.amount_cents, currency),
            )
            for line in lines
        ],
        totals=[*tax, ("Total", _money(invoice.total_cents, currency))],
        notes=_notes(invoice),
    )


def receipt_document(top_up: TopUp) -> Document:
    """The receipt of credit that was bought: only of a top-up that has succeeded."""
    assert top_up.receipt_number and top_up.settled_at
    payer = BillingAccount.objects.get(pk=top_up.account_id)
    currency = top_up.currency
    tax = [("Tax", _money(top_up.tax_cents, currency))] if top_up.tax_cents else []
    refunded = [("Sent back to the card", _money(-top_up.refunded_cents, currency))] if top_up.refunded_cents else []
    return Document(
        title="Receipt",
        number=top_up.receipt_number,
        path=f"/account/receipts/{top_up.receipt_number}",
        seller=_address(top_up.seller or invoice_parties.seller()),
        buyer=_address(top_up.buyer or invoice_parties.buyer(payer)),
        facts=[
            ("Number", top_up.receipt_number),
            ("Paid", _day(top_up.settled_at)),
            *([("Card", top_up.card)] if top_up.card else []),
            *([("Payment", top_up.payment_intent_id)] if top_up.payment_intent_id else []),
        ],
        rows=[Row("Credit", "Used for what models cost, until it is used up", _money(top_up.amount_cents, currency))],
        totals=[*tax, ("Total paid", _money(top_up.amount_cents + top_up.tax_cents, currency)), *refunded],
    )


_CENT = nanos_per_minor("usd")


def _notes(invoice: Invoice) -> list[str]:
    notes = []
    if invoice.carried_in_nanos or invoice.carried_out_nanos:
        notes.append(
            "Fractions of a cent are never rounded up: "
            f"{in_words(invoice.carried_in_nanos)} came from before, "
            f"{in_words(invoice.carried_out_nanos)} is carried on."
        )
    if invoice.kind == Invoice.Kind.STATEMENT:
        notes.append("What was used was taken from credit as it was used.")
    if invoice.state == Invoice.State.VOID:
        notes.append("This invoice is void: nothing is to be paid. What it billed is on a later one.")
    return notes


def _address(party: Mapping[str, str]) -> list[str]:
    tax_id = f"Tax ID {party['tax_id']}" if party.get("tax_id") else ""
    parts = [party.get("name", ""), *party.get("address", "").splitlines(), tax_id, party.get("email", "")]
    return [part.strip() for part in parts if part.strip()]


def _day(moment: datetime.datetime) -> str:
    at = moment.astimezone(datetime.UTC)
    return f"{at.day} {at:%B %Y}"


def _money(amount: int, currency: str) -> str:
    return in_words(amount * nanos_per_minor(currency))
