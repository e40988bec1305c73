"""What stands in the way of an account's work, and what lifts it, in sentences.  Source: billing.md 8.2–8.5."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse

from billing import limit_lists
from billing.models import BillingAccount, CreditBucket, Dispute, Invoice, TopUp
from billing.money import NANOS_PER_CENT, in_words
from billing.overview import Overview
from billing.stripe_gateway import transport

_EXPIRY_NOTICE = datetime.timedelta(days=30)
_STATUSES = {
    BillingAccount.Status.RESTRICTED: (
        "warn",
        "This account is restricted.",
        "Runs are paid from the credit that is there; there is nothing on account, and no new deployments.",
    ),
    BillingAccount.Status.SUSPENDED: (
        "bad",
        "This account is suspended.",
        "Nothing runs. Usage, invoices and results stay readable; an operator can lift it.",
    ),
    BillingAccount.Status.CLOSED: ("bad", "This account is closed.", "Nothing runs. Invoices stay readable."),
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """level: a banner's class (`bad`, `warn`, `info`); action and url: a link, empty for none."""

    level: str
    title: str
    detail: str
    action: str = ""
    url: str = ""


def troubles(payer: BillingAccount, seen: Overview, *, now: datetime.datetime) -> list[Trouble]:
    """All that is wrong, the worst first."""
    found = [*_status(payer), *_limits(payer), *_credit(seen), *_payments(payer), *_expiring(payer, now)]
    return sorted(found, key=lambda trouble: ("bad", "warn", "info").index(trouble.level))


def _status(payer: BillingAccount) -> Iterator[Trouble]:
    if texts := _STATUSES.get(BillingAccount.Status(payer.status)):
        yield Trouble(*texts)


def _limits(payer: BillingAccount) -> Iterator[Trouble]:
    for one in limit_lists.reached(payer.pk):
        title = "A spend limit is reached; credit does not change that."
        yield Trouble("bad", title, one.sentence, "Raise the limit", reverse("billing_limits"))


def _credit(seen: Overview) -> Iterator[Trouble]:
    if not seen.is_charged or seen.available_nanos > 0:
        return
    held = f" {in_words(seen.held_nanos)} is held for work that was accepted." if seen.held_nanos else ""
    if transport.is_configured():
        detail = f"New work is refused until there is credit again.{held}"
        yield Trouble("bad", "All credit is used up.", detail, "Add credit", reverse("billing_credit"))
    else:
        yield Trouble("bad", "All credit is used up.", f"Nothing new runs until an operator grants more.{held}")


def _payments(payer: BillingAccount) -> Iterator[Trouble]:
    credit = reverse("billing_credit")
    if payer.reload_note and not payer.reload_enabled:
        yield Trouble("warn", "Auto-reload was turned off.", payer.reload_note, "Check the card", credit)
    elif payer.reload_note:
        yield Trouble("warn", "Auto-reload failed.", payer.reload_note, "Check the card", credit)
    for top_up in TopUp.objects.filter(account_id=payer.pk, state=TopUp.State.REQUIRES_ACTION):
        text = f"Your bank wants you to confirm {in_words(top_up.amount_cents * NANOS_PER_CENT)}."
        yield Trouble("warn", "A payment waits for you.", text, "Confirm it", top_up.checkout_url or credit)
    for invoice in Invoice.objects.filter(account_id=payer.pk, state=Invoice.State.PAST_DUE):
        text = f"{in_words(invoice.total_cents * NANOS_PER_CENT)} could not be collected."
        page = invoice.hosted_url or reverse("billing_invoice", args=[invoice.pk])
        yield Trouble("bad", f"Invoice {invoice.number} is past due.", text, "Pay it", page)
    for dispute in Dispute.objects.filter(account_id=payer.pk, closed_at=None):
        amount = in_words(dispute.amount_cents * NANOS_PER_CENT)
        text = f"{amount} is disputed; its credit is frozen until the bank decides."
        yield Trouble("warn", "A payment is disputed.", text)


def _expiring(payer: BillingAccount, now: datetime.datetime) -> Iterator[Trouble]:
    soon = CreditBucket.objects.filter(
        account_id=payer.pk, remaining_nanos__gt=0, expires_at__gt=now, expires_at__lt=now + _EXPIRY_NOTICE
    )
    for bucket in soon.order_by("expires_at")[:3]:
        assert bucket.expires_at
        text = f"{in_words(bucket.remaining_nanos)} of {bucket.get_kind_display().lower()} credit is left of it."
        yield Trouble("info", f"Credit expires on {bucket.expires_at:%-d %B %Y}.", text)
