"""Cut online time into segments: pure, so that the same signs of life give the same segments.

Source: billing.md 4.2, 5.2, 7.7.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from billing.outcomes import SEGMENT_SECONDS

SEGMENT_US = SEGMENT_SECONDS * 1_000_000
_MICROSECOND = datetime.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Segment:
    """Time online: `microseconds` of it since `since`, at most until `until`. An open one has no end yet."""

    since: datetime.datetime
    microseconds: int
    until: datetime.datetime | None = None


def cut(
    segment: Segment,
    at: datetime.datetime,
    microseconds: int,
    next_cut: Callable[[datetime.datetime], datetime.datetime],
) -> tuple[list[Segment], Segment]:
    """Add time online from `at` on; the segments that are closed by it, and the open one.

    segment: open. next_cut: the moment after the given one at which a segment that starts there must end: a price
    starts, or a month. A segment ends there, or with its 60th second.
    """
    closed: list[Segment] = []
    since, held = segment.since, segment.microseconds
    while True:
        boundary = next_cut(since)
        room = min(SEGMENT_US - held, max(0, (boundary - at) // _MICROSECOND))
        if microseconds < room:
            return closed, Segment(since, held + microseconds)
        held, at, microseconds = held + room, at + room * _MICROSECOND, microseconds - room
        if held:
            closed.append(Segment(since, held, min(at, boundary)))
        since, held = at, 0
