"""The API of usage: sums by what is asked for, and the single records. JSON pages, or CSV as long as it is.

Extensions.  Source: billing.md 15.1, 16.4.
"""

import datetime
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import Caller
from accounts.authentication import aauthenticate, caller_of
from billing import usage_groups, usage_lines
from billing.models import UsageRecord
from billing.money import as_decimal_string, as_fixed_string
from billing.usage_groups import GROUPS, UsageGroup
from marketplace.lib import csv_rows, dbthreads, query_parameters
from marketplace.lib.csv_rows import Cell, Number
from marketplace.lib.endpoints import json_answer, resource
from marketplace.lib.pagination import NewestFirst
from marketplace.lib.problems import FieldError, ValidationFailed

_MOST_DAYS = 366
_LARGEST_ID = 2**62
_CSV_PAGE = 1000
_SUMS = ("meter", "quantity", "runs", "gross", "amount", "currency")
_CURRENCY = "usd"


async def read_usage(request: HttpRequest) -> HttpResponseBase:
    """`GET /v1/billing/usage?from&to&group_by=model,day`."""
    caller = await aauthenticate(request)
    query = request.GET.dict()
    first, last = _days(query)
    groups = _groups(query)
    rows = await dbthreads.run(usage_groups.usage_by, caller.account_id, first, last, groups)
    tokens = await dbthreads.run(usage_groups.token_names, caller.account_id, rows) if "token" in groups else {}
    if csv_rows.wants(request):
        return csv_rows.answer(f"usage-{first}-{last}.csv", _group_lines(groups, rows, tokens))
    document = {
        "from": str(first),
        "to": str(last),
        "group_by": groups,
        "currency": _CURRENCY,
        "total": as_decimal_string(sum(row.amount_nanos for row in rows)),
        "groups": [_group_document(row, tokens) for row in rows],
    }
    return json_answer(document)


def _days(query: Mapping[str, str]) -> tuple[datetime.date, datetime.date]:
    """The span that is asked for, both days included: this month up to today without any. Raises ValidationFailed."""
    today = datetime.datetime.now(datetime.UTC).date()
    until = query_parameters.moment(query, "to")
    last = until.date() if until else today
    since = query_parameters.moment(query, "from")
    first = since.date() if since else last.replace(day=1)
    if not 0 <= (last - first).days < _MOST_DAYS:
        raise ValidationFailed(
            [FieldError("?to", f"Must be the day of ?from or one of the {_MOST_DAYS} days after it.")]
        )
    return first, last


def _groups(query: Mapping[str, str]) -> list[str]:
    given = [name for name in query.get("group_by", "model").split(",") if name]
    if wrong := [name for name in given if name not in GROUPS]:
        raise ValidationFailed([FieldError("?group_by", f"Must be of {', '.join(GROUPS)}, got {wrong[0][:50]}")])
    return list(dict.fromkeys(given))


def _group_document(row: UsageGroup, tokens: Mapping[str, str]) -> dict[str, Any]:
    keys: dict[str, str | None] = {name: key or None for name, key in row.keys.items()}
    if "token" in keys:
        keys["token_name"] = tokens.get(row.keys["token"])
    return {
        **keys,
        "meter": row.meter,
        "quantity": row.quantity,
        "runs": row.runs,
        "gross": as_decimal_string(row.gross_nanos),
        "amount": as_decimal_string(row.amount_nanos),
    }


async def _group_lines(
    groups: Sequence[str], rows: Iterable[UsageGroup], tokens: Mapping[str, str]
) -> AsyncIterator[bytes]:
    names = [*groups, *(["token_name"] if "token" in groups else [])]
    lines: list[Sequence[Cell]] = [[*names, *_SUMS]]
    for row in rows:
        keys = {**row.keys, "token_name": tokens.get(row.keys.get("token", ""), "")}
        amounts = [Number(as_fixed_string(nanos)) for nanos in (row.gross_nanos, row.amount_nanos)]
        lines.append([*(keys[name] for name in names), row.meter, row.quantity, row.runs, *amounts, _CURRENCY])
    yield csv_rows.encode(lines)


async def list_usage_records(request: HttpRequest) -> HttpResponseBase:
    """`GET /v1/billing/usage/records`: newest first, 100 a page; as CSV all of them."""
    caller = await aauthenticate(request)
    if not csv_rows.wants(request):
        return await _as_pages(request)
    rows = _records(caller, request.GET.dict())
    parts = csv_rows.paged(usage_lines.COLUMNS, partial(_page_after, rows), _csv_rows)
    return csv_rows.answer("usage-records.csv", parts)


class UsageRecordList(APIView):
    """The records as pages of JSON."""

    def get(self, request: Request) -> Response:
        """List usage records."""
        pages = _ByNumber()
        rows = _records(caller_of(request), request.query_params.dict())
        page = pages.paginate_queryset(rows, request, view=self) or []
        return pages.get_paginated_response([usage_lines.record_document(row) for row in page])


class _ByNumber(NewestFirst):
    """In the order in which they were written, as the index has it."""

    ordering: Any = ("-pk",)


_as_pages = resource(UsageRecordList)


def _records(caller: Caller, query: Mapping[str, str]) -> QuerySet[UsageRecord]:
    """Narrowed by the query. Raises ValidationFailed."""
    token = query_parameters.integer(query, "token", default=-1, minimum=1, maximum=_LARGEST_ID)
    return usage_lines.records_of(
        caller.account_id,
        since=query_parameters.moment(query, "from"),
        until=query_parameters.moment(query, "to"),
        model=query_parameters.text(query, "model", query_parameters.FULL_NAME, "owner/name"),
        deployment=query_parameters.text(query, "deployment", query_parameters.FULL_NAME, "owner/name"),
        token=None if token == -1 else token,
    )


def _page_after(rows: QuerySet[UsageRecord], last: UsageRecord | None) -> list[UsageRecord]:
    later = rows if last is None else rows.filter(pk__lt=last.pk)
    return list(later.order_by("-pk")[:_CSV_PAGE])


def _csv_rows(page: Sequence[UsageRecord]) -> list[Sequence[Cell]]:
    members = usage_groups.member_names(record.user_id for record in page if record.user_id is not None)
    return [usage_lines.csv_row(record, members) for record in page]
