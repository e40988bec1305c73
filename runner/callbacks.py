"""The web listener that takes coglet's webhooks, on loopback and on a unix socket for instances without a network.

An instance calls `/callbacks/<token>`; its token is unguessable and opens only its own predictions, as model code is
hostile.  A body goes to the handler of its prediction and is answered when the handler is done: an end whose handler
failed, or that came while the runner was still taking over what runs, is sent again by coglet.
Source: cog-runtime.md 4.9.
"""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import structlog
from aiohttp import web

from runner.cog_events import BadEvent, Completed, Snapshot, parse_webhook

BODY_LIMIT_BYTES = 110 * 1024 * 1024  # coglet's own limit for inputs is 100 MiB; outputs come as data URIs

Handler: TypeAlias = Callable[[Snapshot | Completed], Awaitable[None]]

log = structlog.get_logger(__name__)


class CallbackListener:
    """Listens from `open` to `close`.

    port: wanted again after a restart, since running predictions call the old one; if it is taken, or 0, the system
    chooses. socket_path: also listen there; its folder is what sandboxes get to see.

    While `is_adopting` (from the start until `adoption_done`) what nobody expects is answered 503, so that coglet
    repeats an end; afterwards 404 for an unknown token and 200 for a prediction nobody waits for.
    """

    def __init__(
        self, *, port: int = 0, socket_path: Path | None = None, body_limit_bytes: int = BODY_LIMIT_BYTES
    ) -> None:
        self._body_limit_bytes = body_limit_bytes
        self.port = port
        self.socket_path = socket_path
        self.is_adopting = True
        self._handlers: dict[str, dict[str, Handler]] = {}
        self._server: web.AppRunner | None = None

    async def open(self) -> None:
        """Start to listen.  Raises OSError."""
        app = web.Application(client_max_size=self._body_limit_bytes)
        app.router.add_post("/callbacks/{token}", self._receive)
        self._server = web.AppRunner(app, access_log=None)
        await self._server.setup()
        self.port = await self._listen_on_loopback(self._server, self.port)
        if self.socket_path:
            self.socket_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.socket_path.unlink(missing_ok=True)
            await web.UnixSite(self._server, str(self.socket_path)).start()
            os.chmod(self.socket_path, 0o600)

    async def close(self) -> None:
        """Stop to listen; answers under way are finished."""
        if self._server:
            await self._server.cleanup()
            self._server = None

    def url(self, token: str, *, base: str = "") -> str:
        """Where an instance sends its webhooks. base: the address as a sandbox sees it (`Handle.callback_base`)."""
        return f"{base or f'http://127.0.0.1:{self.port}'}/callbacks/{token}"

    def admit(self, token: str) -> None:
        """Know an instance's token; its nonce will do."""
        self._handlers.setdefault(token, {})

    def dismiss(self, token: str) -> None:
        """Forget an instance and all its predictions."""
        self._handlers.pop(token, None)

    def expect(self, token: str, prediction_id: str, handler: Handler) -> None:
        """Send this prediction's webhooks to handler; only those that come with this token."""
        self._handlers.setdefault(token, {})[prediction_id] = handler

    def forget(self, token: str, prediction_id: str) -> None:
        """Nobody waits for this prediction any more."""
        self._handlers.get(token, {}).pop(prediction_id, None)

    def adoption_done(self) -> None:
        """All that still runs is known now; what is unknown from here on is nobody's."""
        self.is_adopting = False

    async def _listen_on_loopback(self, server: web.AppRunner, port: int) -> int:
        site = web.TCPSite(server, "127.0.0.1", port)
        try:
            await site.start()
        except OSError:
            if not port:
                raise
            log.warning("callback_port_taken", port=port)
            await server.cleanup()  # forgets the failed site; set up again
            await server.setup()
            return await self._listen_on_loopback(server, 0)
        address: tuple[str, int] = server.addresses[0]
        return address[1]

    async def _receive(self, request: web.Request) -> web.Response:
        predictions = self._handlers.get(request.match_info["token"])
        if predictions is None:
            return web.Response(status=503 if self.is_adopting else 404)
        try:
            prediction_id, event = parse_webhook(await request.read())
        except BadEvent as error:
            return web.Response(status=400, text=str(error))
        except web.HTTPRequestEntityTooLarge:
            return await self._end_too_large(predictions)
        handler = predictions.get(prediction_id)
        if handler is None:
            return web.Response(status=503 if self.is_adopting else 200)
        await handler(event)
        return web.Response()

    async def _end_too_large(self, predictions: dict[str, Handler]) -> web.Response:
        """A body that can't be taken will not get smaller: fail its prediction, which would wait for ever.

        Whose it is stands inside; where an instance runs several at once, their time limit ends it.
        """
        log.warning("callback_too_large", limit_bytes=self._body_limit_bytes, predictions=list(predictions))
        if len(predictions) == 1:
            error = f"The output is too large: with its files it may have {self._body_limit_bytes // 1024**2} MiB"
            for handler in list(predictions.values()):
                await handler(Completed("failed", error=error))
        return web.Response(status=413)
