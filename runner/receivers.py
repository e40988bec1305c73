"""What the runner does when a lower room tells of a fact. The only three signals there are."""

from typing import Any

from django.dispatch import receiver

from accounts.signals import account_suspended
from billing.notices import MoneyEvent, money_event
from models_catalog.signals import version_submitted
from runner import builds, event_log, predictions
from runner.event_log import NewEvent


@receiver(version_submitted)
def build_submitted_version(version_id: str, **_: Any) -> None:
    """Queue the build."""
    builds.enqueue(version_id)


@receiver(account_suspended)
def stop_work_of_suspended_account(account_id: int, **_: Any) -> None:
    """Cancel what the account has queued or running."""
    predictions.cancel_all_of(account_id)


@receiver(money_event)
def log_money_event(account_id: int, type: MoneyEvent, subject: str, data: dict[str, Any], **_: Any) -> None:  # noqa: A002
    """Append it to the account's event log, in the transaction of who tells."""
    event_log.record_many([NewEvent(account_id, type, subject, data)])
