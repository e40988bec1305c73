"""The secret that signs an account's webhooks, and its change without a moment in which receivers refuse.

Source: replicate-api.md 2.13, 5.4.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import F
from django.utils import timezone

from accounts.access import Caller
from accounts.models import Account
from marketplace.lib.ids import new_webhook_secret

OVERLAP = datetime.timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Rotation:
    """The new secret, and until when the one before signs too."""

    key: str
    previous_until: datetime.datetime


def get_secret(caller: Caller) -> str:
    """The one that receivers should know."""
    return Account.objects.values_list("webhook_secret", flat=True).get(pk=caller.account_id)


def rotate(caller: Caller) -> Rotation:
    """A new secret. The one before signs beside it for OVERLAP; one that was before that no longer does."""
    rotation = Rotation(new_webhook_secret(), timezone.now() + OVERLAP)
    Account.objects.filter(pk=caller.account_id).update(
        previous_webhook_secret=F("webhook_secret"),
        previous_webhook_secret_until=rotation.previous_until,
        webhook_secret=rotation.key,
    )
    return rotation


def signing_secrets(account: Account, now: datetime.datetime) -> Sequence[str]:
    """Those that sign at that moment, the newest first."""
    until = account.previous_webhook_secret_until
    if until is not None and now < until:
        return [account.webhook_secret, account.previous_webhook_secret]
    return [account.webhook_secret]
