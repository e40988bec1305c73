"""The websocket of a prediction: `streams.follow` rendered for pages, from the position the page has reached.

Text of a stream goes out as text, which pages append as text; everything else as HTML fragments that the server renders
for first pages too. Each message says in `next` how far the page has got with it.
Source: product-ux.md 0.5, style.md 11.
"""

import asyncio
import contextlib
from typing import Any
from urllib.parse import parse_qs

import structlog
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from accounts.access import caller_for_user
from accounts.models import Account, User
from marketplace.lib import dbthreads, tasks
from marketplace.lib.problems import NotFound
from models_catalog.schemas import Document, OutputKind, output_kind
from runner import predictions, run_panels, streams
from runner.events import Event, Position
from runner.shown_values import chunk_text, show_item
from runner.states import Status

log = structlog.get_logger(__name__)

NOT_FOUND = 4404  # close code: no such prediction, or not this account's; pages don't try again
ENDED = 4000  # all is said
_QUIET_SECONDS = 2.0


class PredictionConsumer(AsyncJsonWebsocketConsumer):
    """`/ws/predictions/{id}?outputs=N&logs=M&stage=S`: what follows that position, to the end."""

    prediction_id: str
    schema: Document
    task: "asyncio.Task[None] | None" = None

    async def connect(self) -> None:
        """Only the prediction's account may watch."""
        self.prediction_id = self.scope["url_route"]["kwargs"]["prediction_id"]
        await self.accept()
        if not await dbthreads.run(_may_watch, self.scope.get("user"), self.prediction_id):
            await self.close(NOT_FOUND)
            return
        self.schema = await dbthreads.run(run_panels.load_schema, self.prediction_id)
        self.task = asyncio.create_task(self._follow(position_of(self.scope["query_string"])))

    async def disconnect(self, code: int) -> None:
        """The page left: stop following."""
        if self.task:
            await tasks.end([self.task])

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """Pages have nothing to say here."""

    async def _follow(self, position: Position) -> None:
        try:
            async for event in streams.follow(self.prediction_id, position, quiet_seconds=_QUIET_SECONDS):
                await self.send_json(await self._message(event))
            await self.close(ENDED)
        except OSError:  # the page left while something was on its way to it, or a server of ours did
            with contextlib.suppress(OSError):
                await self.close(1011)
        except Exception:  # the top of the connection's loop: a closed line makes the page come back from its position
            log.exception("prediction_websocket_failed", prediction_id=self.prediction_id)
            await self.close(1011)

    async def _message(self, event: Event | None) -> dict[str, Any]:
        if event is None:
            return await self._status("quiet")
        match event.kind:
            case "logs":
                return {"kind": "logs", "at": event.at, "text": event.text, "next": event.at + len(event.text)}
            case "output":
                return self._output(event)
            case "done":
                panel = await dbthreads.run(run_panels.load_panel, self.prediction_id)
                assert panel is not None
                return {
                    "kind": "done",
                    "state": panel.prediction.status,
                    "status": run_panels.render_status(panel),
                    "verdict": run_panels.render_verdict(panel),
                    # An iterator's page has every item already: replacing them would lose the reader's place.
                    "output": None if panel.prediction.is_streamed else run_panels.render_output(panel),
                    "next": 2,
                }
        return await self._status("status")

    async def _status(self, kind: str) -> dict[str, Any]:
        panel = await dbthreads.run(run_panels.load_panel, self.prediction_id)
        if panel is None:
            return {"kind": "quiet"}
        state = panel.prediction.status
        stage = 1 if state == Status.PROCESSING else 0
        return {"kind": kind, "state": state, "status": run_panels.render_status(panel), "next": stage}

    def _output(self, event: Event) -> dict[str, Any]:
        message = {"kind": "output", "at": event.at, "next": event.at + len(event.items)}
        if output_kind(self.schema) is OutputKind.CONCATENATED:
            return {**message, "text": "".join(chunk_text(item) for item in event.items)}
        parts = [part for item in event.items for part in show_item(self.schema, item)]
        return {**message, "html": run_panels.render_parts(parts)}


def position_of(query_string: bytes) -> Position:
    """How much a page has already; nonsense counts as nothing."""
    query = parse_qs(query_string.decode("latin-1"))

    def number(name: str) -> int:
        text = query.get(name, ["0"])[0]
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else 0

    return Position(number("outputs"), number("logs"), min(number("stage"), 1))


def _may_watch(user: object, prediction_id: str) -> bool:
    if not isinstance(user, User) or not user.is_authenticated:
        return False
    try:
        predictions.get_run(caller_for_user(user), prediction_id)
    except (NotFound, Account.DoesNotExist):
        return False
    return True
