"""Read the event log as a consumer does: what came after a position, oldest first, nothing missed, nothing twice.

Ids are given before commits, so the order of ids is not the order in which rows appear. A reader goes by
(transaction id, id) and stops before the oldest transaction that was still open when it began: nothing can appear
any more before that horizon, however late somebody commits.
"""

import base64
import binascii
import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from marketplace.lib.problems import NotFound
from runner.models import LoggedEvent

_MAY_BE_IN_MEMORY = datetime.timedelta(seconds=5)  # a claim's commit reaches the disk within a second
_CHUNK = 5000


class Position(NamedTuple):
    """How much of the log was seen. Its text is opaque to consumers."""

    transaction_id: int = 0
    id: int = 0

    @classmethod
    def parse(cls, cursor: str) -> Self:
        """From a cursor; the beginning of the log for "". Raises NotFound.  Source: replicate-api.md 1.7."""
        if not cursor:
            return cls()
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            numbers = [int(n) for n in base64.b64decode(padded, altchars=b"-_", validate=True).decode().split(".")]
            position = cls(*numbers)
        except (binascii.Error, ValueError, TypeError) as error:
            raise NotFound("Invalid cursor") from error
        if len(numbers) != 2 or not all(0 <= number < 2**63 for number in numbers):
            raise NotFound("Invalid cursor")
        return position

    @property
    def cursor(self) -> str:
        """For `parse`."""
        return base64.urlsafe_b64encode(f"{self.transaction_id}.{self.id}".encode()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class EventPage:
    """after: the position to go on from; also moves past what filters left out."""

    events: list[LoggedEvent]
    after: Position
    has_more: bool


def read_after(
    account_id: int, after: Position, *, types: Sequence[str] = (), subject: str = "", limit: int = 100
) -> EventPage:
    """The next events of an account. types, subject: only these; all without."""
    horizon = _oldest_open_transaction()
    rows = LoggedEvent.objects.filter(
        Q(transaction_id=after.transaction_id, id__gt=after.id) | Q(transaction_id__gt=after.transaction_id),
        account_id=account_id,
        transaction_id__gte=after.transaction_id,  # for the index; the line above is no range to the planner
        transaction_id__lt=horizon,
    )
    if types:
        rows = rows.filter(type__in=types)
    if subject:
        rows = rows.filter(subject=subject)
    found = list(rows.order_by("transaction_id", "id")[: limit + 1])
    events, has_more = found[:limit], len(found) > limit
    _ensure_durable(events)
    if has_more:
        return EventPage(events, Position(events[-1].transaction_id, events[-1].pk), has_more)
    return EventPage(events, max(after, Position(horizon, 0)), has_more)


def _oldest_open_transaction() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        return int(cursor.fetchone()[0])


def _ensure_durable(events: Sequence[LoggedEvent]) -> None:
    """Claims are committed before they are on disk: a crash could give a position that was told to another event."""
    now = datetime.datetime.now(datetime.UTC)
    if events and max(event.created_at for event in events) > now - _MAY_BE_IN_MEMORY:
        with transaction.atomic(), connection.cursor() as cursor:  # its commit writes out all that came before it
            cursor.execute("SELECT pg_logical_emit_message(true, 'event log', '')")


def remove_old() -> int:
    """Remove what is older than EVENTS_KEPT_DAYS; how many at most a few thousand were removed, 0 when none is left."""
    oldest_kept = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=settings.EVENTS_KEPT_DAYS)
    first = LoggedEvent.objects.order_by("id").values_list("id", "created_at")[:_CHUNK]  # old rows have low ids
    removed, _ = LoggedEvent.objects.filter(pk__in=[pk for pk, at in first if at < oldest_kept]).delete()
    return removed
