"""Suspend and restore accounts: a suspended one's tokens and sessions die, and its running work is stopped."""

from functools import partial

from django.db import transaction
from django.utils import timezone

from accounts import audit, tokens
from accounts.models import Account, User
from accounts.signals import account_suspended
from marketplace.lib.problems import Conflict


def suspend(actor: User, account: Account, *, reason: str) -> None:
    """Suspend an account. Raises Conflict if it already is, or is the actor's own."""
    if account.user_id == actor.pk:
        raise Conflict("You can't suspend your own account.")
    with transaction.atomic():
        changed = Account.objects.filter(pk=account.pk, suspended_at=None).update(
            suspended_at=timezone.now(), suspended_reason=reason
        )
        if not changed:
            raise Conflict(f"{account.username} is already suspended.")
        audit.record(actor, "suspend", f"account/{account.username}", reason=reason)
        tokens.forget_everywhere(account.tokens.values_list("digest", flat=True))
        transaction.on_commit(partial(account_suspended.send, sender=Account, account_id=account.pk))


def restore(actor: User, account: Account, *, reason: str) -> None:
    """Lift a suspension. Raises Conflict if there is none."""
    with transaction.atomic():
        changed = Account.objects.filter(pk=account.pk, suspended_at__isnull=False).update(
            suspended_at=None, suspended_reason=""
        )
        if not changed:
            raise Conflict(f"{account.username} is not suspended.")
        audit.record(actor, "restore", f"account/{account.username}", reason=reason)
