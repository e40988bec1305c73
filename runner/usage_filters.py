"""Narrow a list of predictions to those behind one line of the usage page: of a month, a day, a token."""

import datetime
from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import QueryDict

from runner.models import Prediction

NO_TOKEN = "none"  # noqa: S105 - how the address says: from the website
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """What was asked for. query: to be carried by links to more pages, empty for nothing; words: for people."""

    predictions: QuerySet[Prediction]
    query: str
    words: str


def narrowed(predictions: QuerySet[Prediction], asked: QueryDict) -> UsageFilter:
    """`?month=2026-11` or `?day=2026-11-23` of the end, in UTC, as usage counts; `?token=7` or `none`."""
    query: dict[str, str] = {}
    words: list[str] = []
    if span := _span(asked.get("day") or asked.get("month", "")):
        first, after, shown = span
        predictions = predictions.filter(completed_at__gte=first, completed_at__lt=after)
        key = "day" if asked.get("day") else "month"
        query[key] = asked.get(key) or ""
        words.append(f"ended {shown} (UTC)")
    token = asked.get("token", "")
    if token == NO_TOKEN:
        predictions = predictions.filter(token=None)
        words.append("from the website")
    elif token.isascii() and token.isdecimal() and int(token) <= _LARGEST_ID:
        predictions = predictions.filter(token=int(token))
        words.append("with one token")
    if len(words) > len(query):
        query["token"] = token
    return UsageFilter(predictions, urlencode(query), ", ".join(words))


def _span(text: str) -> tuple[datetime.datetime, datetime.datetime, str] | None:
    """The first moment of a day or month, the first after it, and its name."""
    try:
        if len(text) == len("2026-11"):
            day = datetime.date.fromisoformat(f"{text}-01")
            after, shown = (day + datetime.timedelta(days=31)).replace(day=1), f"in {day:%B %Y}"
        else:
            day = datetime.date.fromisoformat(text)
            after, shown = day + datetime.timedelta(days=1), f"on {day.day} {day:%B %Y}"
    except (ValueError, OverflowError):
        return None
    return _midnight(day), _midnight(after), shown


def _midnight(day: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(), datetime.UTC)
