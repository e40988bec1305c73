"""The websocket of a build: its events from the character that the page has reached, for the model's owner."""

import asyncio
from typing import Any
from urllib.parse import parse_qs

import structlog
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from accounts.access import caller_for_user
from accounts.models import Account, User
from marketplace.lib import dbthreads, tasks
from runner import build_streams
from runner.models import Build

log = structlog.get_logger(__name__)

NOT_FOUND = 4404  # close code: no such build, or not this account's; pages don't try again
ENDED = 4000  # all is said


class BuildConsumer(AsyncJsonWebsocketConsumer):
    """`/ws/builds/{id}?at=N`: `log` messages from character N on, `status`, and `done` at the end."""

    task: "asyncio.Task[None] | None" = None

    async def connect(self) -> None:
        """Only the model's owner may watch."""
        build_id = int(self.scope["url_route"]["kwargs"]["build_id"])
        await self.accept()
        if not await dbthreads.run(_may_watch, self.scope.get("user"), build_id):
            await self.close(NOT_FOUND)
            return
        self.task = asyncio.create_task(self._follow(build_id, _position(self.scope["query_string"])))

    async def disconnect(self, code: int) -> None:
        """The page left: stop following."""
        if self.task:
            await tasks.end([self.task])

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """Pages have nothing to say here."""

    async def _follow(self, build_id: int, after: int) -> None:
        try:
            async for event in build_streams.follow(build_id, after):
                await self.send_json(event.to_dict() if event else {"kind": "quiet"})
            await self.close(ENDED)
        except Exception:  # the top of the connection's loop: a closed line makes the page come back from its position
            log.exception("build_websocket_failed", build_id=build_id)
            await self.close(1011)


def _position(query_string: bytes) -> int:
    text = parse_qs(query_string.decode("latin-1")).get("at", ["0"])[0]
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else 0


def _may_watch(user: object, build_id: int) -> bool:
    if not isinstance(user, User) or not user.is_authenticated:
        return False
    try:
        caller = caller_for_user(user)
    except Account.DoesNotExist:
        return False
    return Build.objects.filter(pk=build_id, version__model__account_id=caller.account_id).exists()
