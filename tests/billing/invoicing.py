"""Accounts that pay afterwards, usage worth so many dollars, and what must hold of every invoice."""

from typing import Any

from accounts.models import Account
from billing import invoices
from billing.models import BillingAccount, CreditBucket, Invoice, UsageRecord
from billing.posting import post_usage
from tests.billing.factories import use

CENT = 10_000_000
DOLLAR = 100 * CENT
SECOND = 1_000_000
NOVEMBER = "2026-11"


def postpaid(account: Account, line_nanos: int = 1000 * DOLLAR) -> None:
    """Make an account postpaid, with a line."""
    BillingAccount.objects.update_or_create(
        account=account, defaults={"mode": BillingAccount.Mode.POSTPAID, "credit_limit_nanos": line_nanos}
    )


def used(account: Account, dollars: int, **columns: Any) -> UsageRecord:
    """Use and post so many dollars' worth of an H100."""
    prediction_id = use(account, dollars * DOLLAR * SECOND // 1_525_000, hardware="gpu-h100", **columns)
    post_usage(account_id=account.pk)
    return UsageRecord.objects.get(subject=f"prediction/{prediction_id}", corrects=None)


def closed(account: Account, period: str = NOVEMBER) -> Invoice:
    """The invoice or statement that closes a period, which there must be."""
    invoice = invoices.close_period(account.pk, period)
    assert invoice is not None
    return invoice


def adds_up(invoice: Invoice) -> bool:
    """Invariants 16 and 17 of one invoice."""
    shown = list(invoice.lines.all())
    assert sum(line.amount_cents for line in shown) == invoice.total_cents >= 0
    carried_on = [line for line in shown if line.description == "Carried over to the next"]
    nanos = sum(line.amount_nanos for line in shown) - sum(line.amount_nanos for line in carried_on)
    assert nanos == invoice.total_cents * CENT + invoice.carried_out_nanos
    assert 0 <= invoice.carried_out_nanos < CENT or invoice.total_cents == 0
    return True


def in_paid_buckets(account: Account) -> int:
    """What is left of bought credit, in nanos."""
    buckets = CreditBucket.objects.filter(account=account, kind=CreditBucket.Kind.PAID)
    return sum(buckets.values_list("remaining_nanos", flat=True))
