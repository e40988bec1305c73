"""How an account pays, and how that changes.  Source: billing.md 3."""

from django.conf import settings
from django.db import transaction

from accounts import audit
from accounts.models import Account, User
from billing import accounts, posting
from billing.models import BillingAccount
from billing.money import NANOS_PER_CENT
from marketplace.lib.problems import FieldError, ValidationFailed

Mode = BillingAccount.Mode


def change_mode(actor: User, account: Account, *, mode: Mode, reason: str, credit_limit_nanos: int = 0) -> None:
    """Move an account to another mode. What it used before is posted as the old mode has it.

    credit_limit_nanos: how much a postpaid account may owe, above 0; 0 for the others. Raises ValidationFailed.
    """
    if (mode == Mode.POSTPAID) != (credit_limit_nanos > 0):
        raise ValidationFailed(
            [FieldError("/credit_limit_nanos", "A postpaid account has one, above 0; no other has.")]
        )
    with transaction.atomic():
        payer = accounts.lock(account.pk)
        before = payer.mode
        _move(payer, mode, credit_limit_nanos)
        details = {"before": before, "after": str(mode), "credit_limit_nanos": credit_limit_nanos}
        audit.record(actor, "change_billing_mode", f"account/{account.username}", reason=reason, **details)


def note_payment(payer: BillingAccount) -> None:
    """A payment came to a locked account: a trial account, or an internal one, is prepaid from now on."""
    if payer.mode in {Mode.TRIAL, Mode.INTERNAL}:
        _move(payer, Mode.PREPAID, 0)


def _move(payer: BillingAccount, mode: Mode, credit_limit_nanos: int) -> None:
    posting.post_pending(payer)
    payer.mode = mode
    payer.credit_limit_nanos = credit_limit_nanos
    payer.overdraft_nanos = settings.BILLING_OVERDRAFT_CENTS * NANOS_PER_CENT if mode == Mode.PREPAID else 0
    payer.save(update_fields=["mode", "credit_limit_nanos", "overdraft_nanos"])
    accounts.tell_changed(payer.pk)
