"""CSV for people's spreadsheets: RFC 4180, in UTF-8, and no cell that a spreadsheet would take for a formula.

Source: billing.md 16.4.
"""

import csv
import datetime
import io
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TypeVar

from django.http import HttpRequest, StreamingHttpResponse

from marketplace.lib import dbthreads, query_parameters
from marketplace.lib.timestamps import timestamp

CONTENT_TYPE = "text/csv; charset=utf-8"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
T = TypeVar("T")


class Number(str):
    """A decimal number of ours as text: the one text that may begin with a minus."""

    __slots__ = ()


Cell = Number | str | int | datetime.datetime | datetime.date | None


def encode(rows: Iterable[Sequence[Cell]]) -> bytes:
    """Lines of a file. None is an empty cell, a time is in UTC."""
    out = io.StringIO()
    csv.writer(out).writerows([_text(cell) for cell in row] for row in rows)
    return out.getvalue().encode()


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime.datetime):
        return timestamp(cell)
    if isinstance(cell, str) and not isinstance(cell, Number) and cell.startswith(_FORMULA):
        return f"'{cell}"
    return str(cell)


def answer(filename: str, parts: AsyncIterator[bytes]) -> StreamingHttpResponse:
    """A file as it is made, however long. For async views."""
    headers = {"Content-Disposition": f'attachment; filename="{filename}"', "Cache-Control": "private, no-store"}
    return StreamingHttpResponse(parts, content_type=CONTENT_TYPE, headers=headers)


async def paged(
    header: Sequence[str],
    page_after: Callable[[T | None], Sequence[T]],
    rows_of: Callable[[Sequence[T]], Iterable[Sequence[Cell]]],
) -> AsyncIterator[bytes]:
    """A file from pages, made in database threads.

    page_after: called with the last item of the page before, or None; an empty page ends the file. rows_of: its rows.
    """
    yield encode([header])
    last: T | None = None

    def next_part() -> tuple[T | None, bytes]:
        page = page_after(last)
        return (page[-1], encode(rows_of(page))) if page else (None, b"")

    while True:
        last, part = await dbthreads.run(next_part)
        if last is None:
            return
        yield part


def wants(request: HttpRequest) -> bool:
    """Is the answer to be CSV? By `?format=csv`, or `Accept: text/csv`. Raises ValidationFailed for another format."""
    given = query_parameters.choice(request.GET.dict(), "format", ("json", "csv"), "")
    return given == "csv" or (not given and "text/csv" in request.headers.get("Accept", ""))
