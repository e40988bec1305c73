"""Start and stop of a web process: while it lives, it listens for what it should forget."""

import asyncio

import structlog

from accounts import tokens
from billing import spending
from marketplace.lib import tasks, wakeups
from marketplace.lib.asgi_types import Receive, Send
from models_catalog import lookup
from runner import deployment_targets

log = structlog.get_logger(__name__)


async def lifespan(receive: Receive, send: Send) -> None:
    """ASGI's lifespan protocol."""
    listener: asyncio.Task[None] | None = None
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            listener = asyncio.create_task(forget_what_changed())
            await send({"type": "lifespan.startup.complete"})
        else:
            if listener:
                await tasks.end([listener])
            await send({"type": "lifespan.shutdown.complete"})
            return


async def forget_what_changed() -> None:
    """Drop what another process says has changed: revoked tokens, accounts' credit, models and deployments."""
    while True:
        try:
            async for message in wakeups.listen(wakeups.WEB):
                _forget(message)
        except Exception:
            log.exception("web_listener_failed")
            await asyncio.sleep(1)


def _forget(message: dict[str, object]) -> None:
    match message:
        case {"type": "tokens_changed", "digests": list() as digests}:
            tokens.forget(str(digest) for digest in digests)
        case {"type": "credit_changed", "account_id": int() as account_id}:
            spending.forget(account_id)
        case {"type": "models_changed"}:
            lookup.forget_facts()
        case {"type": "deployments_changed"}:
            deployment_targets.forget()
        case {"type": "reconnected"}:
            spending.forget()
            lookup.forget_facts()
            deployment_targets.forget()
