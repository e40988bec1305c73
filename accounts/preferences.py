"""What an account chooses for itself: today how long the data of its API predictions is kept.

Source: replicate-api.md 3.6.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from accounts.access import Caller
from accounts.models import Account
from marketplace.lib.problems import FieldError, ValidationFailed

SHORTEST_KEPT_SECONDS = 60  # who polls must be able to see the end
LONGEST_KEPT_SECONDS = 10 * 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Preferences:
    """api_data_kept_seconds: None is as the installation says."""

    api_data_kept_seconds: int | None

    @property
    def effective_seconds(self) -> int:
        """How long API predictions' data is kept after their end."""
        chosen = self.api_data_kept_seconds
        return int(settings.API_DATA_KEPT_SECONDS) if chosen is None else chosen


def get_preferences(caller: Caller) -> Preferences:
    """The account's choices."""
    return Preferences(Account.objects.values_list("api_data_kept_seconds", flat=True).get(pk=caller.account_id))


def keep_api_data(caller: Caller, seconds: int | None) -> Preferences:
    """Choose how long, also for what has ended already; what was removed stays removed. Raises ValidationFailed."""
    if seconds is not None and not SHORTEST_KEPT_SECONDS <= seconds <= LONGEST_KEPT_SECONDS:
        limits = f"Must be null or from {SHORTEST_KEPT_SECONDS} to {LONGEST_KEPT_SECONDS} seconds, got {seconds}."
        raise ValidationFailed([FieldError("/api_data_kept_seconds", limits)])
    Account.objects.filter(pk=caller.account_id).update(api_data_kept_seconds=seconds)
    return Preferences(seconds)


def parse_changes(body: Mapping[str, Any]) -> dict[str, int | None]:
    """The members that a caller wants changed. Raises ValidationFailed for unknown ones and wrong types."""
    errors = [FieldError(f"/{name}", "Unknown setting.") for name in body if name != "api_data_kept_seconds"]
    value = body.get("api_data_kept_seconds")
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        errors.append(FieldError("/api_data_kept_seconds", "Expected an integer or null."))
    if errors:
        raise ValidationFailed(errors)
    return {"api_data_kept_seconds": value} if "api_data_kept_seconds" in body else {}
