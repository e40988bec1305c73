"""An account's billing side: made when it is first asked for, locked by who decides over its money."""

from functools import partial

from django.db import transaction

from billing import spending
from billing.models import BillingAccount
from marketplace.lib import wakeups


def billing_account(account_id: int) -> BillingAccount:
    """The row, made now where there is none: internal, which is metered and not charged."""
    found = BillingAccount.objects.filter(pk=account_id).first()
    return found or BillingAccount.objects.get_or_create(account_id=account_id)[0]


def lock(account_id: int) -> BillingAccount:
    """The row, locked until the caller's transaction ends."""
    rows = BillingAccount.objects.select_for_update(no_key=True).filter(pk=account_id)
    if found := rows.first():
        return found
    billing_account(account_id)
    return rows.get()


def tell_changed(account_id: int) -> None:
    """Processes that remember what the account may spend look again: this one now, all after the commit."""
    spending.forget(account_id)
    transaction.on_commit(partial(spending.forget, account_id))
    message = {"type": "credit_changed", "account_id": account_id}
    wakeups.send_after_commit(wakeups.WEB, message)
