"""Usage records behind a number: narrowed as the number was, newest first, a page at a time."""

import datetime
from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import QueryDict

from billing import invoices, reports
from billing.models import InvoiceLine, UsageRecord

PAGE_SIZE = 50
NOBODY = "none"
_LARGEST_ID = 2**63 - 1
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RecordPage:
    """words: what was asked for; query: for links to more of it; next_before: of the next page, None at the end."""

    records: list[UsageRecord]
    words: list[str]
    query: str
    next_before: int | None


def list_records(account_id: int, asked: QueryDict) -> RecordPage:
    """An account's records by `?month=2026-11` or `?day=`, `?model=`, `?token=7`, `?member=7` or `none`, `?before=`.

    Or by `?line=7`, those behind a line of an invoice of its own.

    What makes no sense is left out, and not repeated in `words`.
    """
    rows = UsageRecord.objects.filter(account_id=account_id)
    query: dict[str, str] = {}
    words: list[str] = []
    if line := _line(account_id, asked.get("line", "")):
        rows = invoices.records_of(line)
        query["line"] = str(line.pk)
        words.append(f"on {line.invoice.number}: {line.description}")
    if span := _span(asked.get("day", ""), asked.get("month", "")):
        rows, shown, key = _within(rows, *span)
        query[key] = asked.get(key, "")
        words.append(shown)
    if model := asked.get("model", "").strip():
        rows = rows.filter(model_name=model)
        query["model"] = model
        words.append(f"of {model}")
    for key, column, nobody, somebody in (
        ("token", "token_id", "without a token", "with one token"),
        ("member", "user_id", "of no member", "of one member"),
    ):
        text = asked.get(key, "")
        if text == NOBODY or _is_id(text):
            rows = rows.filter(**{column: None if text == NOBODY else int(text)})
            query[key] = text
            words.append(nobody if text == NOBODY else somebody)
    before = asked.get("before", "")
    if _is_id(before):
        rows = rows.filter(pk__lt=int(before))
    return _page(rows, words, urlencode(query))


def _page(rows: QuerySet[UsageRecord], words: list[str], query: str) -> RecordPage:
    found = list(rows.select_related("price", "posting", "corrects").order_by("-pk")[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    return RecordPage(shown, words, query, shown[-1].pk if len(found) > PAGE_SIZE else None)


def _span(day: str, month: str) -> tuple[datetime.date, datetime.date, str] | None:
    """The first day, the first after it, and which of the two was asked for."""
    if day:
        try:
            first = datetime.date.fromisoformat(day)
            return first, first + _DAY, "day"
        except (ValueError, OverflowError):
            return None
    if period := reports.find_period(month):
        days = reports.days_of(period)
        return days[0], days[-1] + _DAY, "month"
    return None


def _within(
    rows: QuerySet[UsageRecord], first: datetime.date, after: datetime.date, key: str
) -> tuple[QuerySet[UsageRecord], str, str]:
    midnights = [datetime.datetime.combine(day, datetime.time(), datetime.UTC) for day in (first, after)]
    rows = rows.filter(period=f"{first:%Y-%m}", occurred_at__gte=midnights[0], occurred_at__lt=midnights[1])
    return rows, f"on {first:%-d %B %Y}" if key == "day" else f"in {first:%B %Y}", key


def _line(account_id: int, text: str) -> InvoiceLine | None:
    lines = InvoiceLine.objects.filter(invoice__account_id=account_id).select_related("invoice")
    return lines.filter(pk=int(text)).first() if _is_id(text) else None


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text) <= _LARGEST_ID
