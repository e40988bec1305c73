"""Accounts that may use existing credit only: for a disputed payment, an unpaid invoice, or credit that was taken back.

Run in a transaction that holds the account's lock.  Source: billing.md 8.5, 11.2, 11.3.
"""

from billing import accounts, credit
from billing.models import BillingAccount, Dispute, Invoice

INQUIRY = "warning_"  # a bank asks, and has taken nothing


def restrict(payer: BillingAccount) -> None:
    """An active account becomes restricted."""
    _move(payer, BillingAccount.Status.ACTIVE, BillingAccount.Status.RESTRICTED)


def restrict_if_owing(payer: BillingAccount) -> None:
    """Restrict an account whose credit was taken back after it was used."""
    if credit.overrun(payer.pk):
        restrict(payer)


def lift_if_clear(payer: BillingAccount) -> None:
    """A restricted account becomes active, if nothing of what restricts accounts is so any more."""
    disputes = Dispute.objects.filter(account_id=payer.pk, closed_at=None).exclude(status__startswith=INQUIRY)
    unpaid = Invoice.objects.filter(account_id=payer.pk, state=Invoice.State.PAST_DUE)
    if not disputes.exists() and not unpaid.exists() and not credit.overrun(payer.pk):
        _move(payer, BillingAccount.Status.RESTRICTED, BillingAccount.Status.ACTIVE)


def _move(payer: BillingAccount, old: BillingAccount.Status, new: BillingAccount.Status) -> None:
    if BillingAccount.objects.filter(pk=payer.pk, status=old).update(status=new):
        accounts.tell_changed(payer.pk)
