"""An operator restricts, suspends or reopens an account's spending.  Source: billing.md 8.5."""

from django.db import transaction

from accounts import audit
from accounts.models import Account, User
from billing import accounts
from billing.models import BillingAccount
from marketplace.lib.problems import Conflict


def change_status(actor: User, account: Account, *, status: BillingAccount.Status, reason: str) -> None:
    """Set whether an account may spend. Raises Conflict where it is so already."""
    with transaction.atomic():
        payer = accounts.lock(account.pk)
        if payer.status == status:
            raise Conflict(f"The account is {status} already.")
        BillingAccount.objects.filter(pk=payer.pk).update(status=status)
        details = {"before": payer.status, "after": str(status)}
        audit.record(actor, "change_billing_status", f"account/{account.username}", reason=reason, **details)
        accounts.tell_changed(payer.pk)
