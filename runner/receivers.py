"""What the runner does when a lower room tells of a fact. The only two signals there are."""

from typing import Any

from django.dispatch import receiver

from accounts.signals import account_suspended
from models_catalog.signals import version_submitted
from runner import builds, predictions


@receiver(version_submitted)
def build_submitted_version(version_id: str, **_: Any) -> None:
    """Queue the build."""
    builds.enqueue(version_id)


@receiver(account_suspended)
def stop_work_of_suspended_account(account_id: int, **_: Any) -> None:
    """Cancel what the account has queued or running."""
    predictions.cancel_all_of(account_id)
