"""Trial accounts: made at sign-up, with free credit once the e-mail address is known to be theirs.

Source: billing.md 9.1.
"""

import datetime

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone

from accounts.models import Account
from billing import credit, limits
from billing.models import BillingAccount, CreditBucket
from billing.money import NANOS_PER_CENT

_BATCH = 500


def open_trial(account_id: int) -> None:
    """Make a new account a trial account, in the transaction that makes it. It never goes below zero on purpose."""
    payer = BillingAccount.objects.create(account_id=account_id, mode=BillingAccount.Mode.TRIAL)
    limits.set_defaults(payer)
    if not _verifies_addresses():
        grant_trial_credit(Account.objects.get(pk=account_id))


def grant_trial_credit(account: Account) -> None:
    """The trial credit of a trial account, once; none where the installation gives none."""
    if not settings.BILLING_TRIAL_CREDIT_CENTS or not _is_trial(account):
        return
    credit.grant(
        account,
        amount_nanos=settings.BILLING_TRIAL_CREDIT_CENTS * NANOS_PER_CENT,
        source=_source(account.pk),
        reason="Trial credit",
        expires_at=timezone.now() + datetime.timedelta(days=settings.BILLING_TRIAL_DAYS),
    )


def grant_missing() -> int:
    """Grant what a process that died after an address was verified left out; to how many."""
    if not settings.BILLING_TRIAL_CREDIT_CENTS or not _verifies_addresses():
        return 0
    young = timezone.now() - datetime.timedelta(days=settings.BILLING_TRIAL_DAYS)
    verified = EmailAddress.objects.filter(user=OuterRef("user"), verified=True)
    granted = CreditBucket.objects.filter(account=OuterRef("pk"), source__startswith="trial:")
    waiting = Account.objects.filter(
        Exists(verified), ~Exists(granted), billing__mode=BillingAccount.Mode.TRIAL, billing__created_at__gte=young
    )[:_BATCH]
    for account in waiting:
        grant_trial_credit(account)
    return len(waiting)


def _source(account_id: int) -> str:
    return f"trial:{account_id}"


def _is_trial(account: Account) -> bool:
    return BillingAccount.objects.filter(pk=account.pk, mode=BillingAccount.Mode.TRIAL).exists()


def _verifies_addresses() -> bool:
    return bool(settings.ACCOUNT_EMAIL_VERIFICATION != "none")
