"""`GET /v1/events`: the event log, to be pulled by consumers who keep the last cursor. Beyond Replicate's API."""

import asyncio
import time
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from accounts.authentication import aauthenticate
from marketplace.lib import dbthreads, query_parameters
from marketplace.lib.endpoints import json_answer
from marketplace.lib.timestamps import timestamp
from runner import event_feed
from runner.event_feed import EventPage, Position
from runner.models import LoggedEvent

_LOOK_SECONDS = 1.0
_MAX_WAIT_SECONDS = 30
_MAX_LIMIT = 1000
_PATHS = {  # of subjects, below /v1, where they are no plain plural
    "batch": "batches",
    "balance": "billing/balance",
    "limit": "billing/limits",
    "top_up": "billing/top-ups",
    "invoice": "billing/invoices",
}


async def list_events(request: HttpRequest) -> HttpResponse:
    """A page of what came after `cursor`; with `wait=n` it is held until there is something, up to n seconds.

    Looks again every second, which costs next to nothing; a message for each event would cost every prediction.
    """
    caller = await aauthenticate(request)
    query = request.GET.dict()
    after = Position.parse(query.get("cursor", ""))
    limit = query_parameters.integer(query, "limit", default=100, minimum=1, maximum=_MAX_LIMIT)
    wait_seconds = query_parameters.integer(query, "wait", default=0, minimum=0, maximum=_MAX_WAIT_SECONDS)
    types = [name for name in query.get("type", "").split(",") if name]
    subject = query.get("subject", "")
    until = time.monotonic() + wait_seconds
    while True:
        page = await dbthreads.run(
            event_feed.read_after, caller.account_id, after, types=types, subject=subject, limit=limit
        )
        left = until - time.monotonic()
        if page.events or left <= 0:
            return json_answer(page_document(page))
        after = page.after
        await asyncio.sleep(min(_LOOK_SECONDS, left))


def page_document(page: EventPage) -> dict[str, Any]:
    """A page as the API shows it."""
    return {
        "events": [event_document(event) for event in page.events],
        "next_cursor": page.after.cursor,
        "has_more": page.has_more,
    }


def event_document(event: LoggedEvent) -> dict[str, Any]:
    """One event; `object` is where the API shows what it happened to."""
    return {
        "id": f"evt_{event.pk}",
        "type": event.type,
        "subject": event.subject,
        "created_at": timestamp(event.created_at),
        "data": event.data,
        "object": f"{settings.PUBLIC_URL}/v1/{_path_of(event.subject)}",
    }


def _path_of(subject: str) -> str:
    kind, _, name = subject.partition("/")
    return f"{_PATHS.get(kind) or f'{kind}s'}/{name}".rstrip("/")
