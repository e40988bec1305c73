"""An account's billing side: made when it is first asked for, locked by who decides over its money."""

from billing.models import BillingAccount
from marketplace.lib import wakeups


def billing_account(account_id: int) -> BillingAccount:
    """The row, made now where there is none: internal, which is metered and not charged."""
    found = BillingAccount.objects.filter(pk=account_id).first()
    return found or BillingAccount.objects.get_or_create(account_id=account_id)[0]


def lock(account_id: int) -> BillingAccount:
    """The row, locked until the caller's transaction ends."""
    billing_account(account_id)
    return BillingAccount.objects.select_for_update(no_key=True).get(pk=account_id)


def tell_changed(account_id: int) -> None:
    """After commit: processes that remember what the account may spend look again."""
    message = {"type": "credit_changed", "account_id": account_id}
    wakeups.send_after_commit(wakeups.WEB, message)
