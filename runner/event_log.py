"""Write the event log: what happened, in the transaction in which it did."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.models import LoggedEvent


@dataclass(frozen=True, slots=True)
class NewEvent:
    """type: `prediction.started`. subject: `prediction/<id>`. data: cause, host, instance and what else explains it."""

    account_id: int
    type: str
    subject: str
    data: dict[str, Any] = field(default_factory=dict)


def record_many(events: Sequence[NewEvent]) -> None:
    """Append, in order, within the caller's transaction."""
    LoggedEvent.objects.bulk_create(
        LoggedEvent(account_id=e.account_id, type=e.type, subject=e.subject, data=e.data) for e in events
    )
