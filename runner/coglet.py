"""Client of one coglet server, over TCP or a unix socket.

Predictions are created with PUT and `Prefer: respond-async`, so that they outlive us; their progress comes by webhook
(`runner.callbacks`) and, where the schema allows it, by attaching a stream (`follow`). Nothing here knows the database.
Source: cog-runtime.md 4 (the server), 8 (checklist 24-31, 43).
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

import aiohttp
import orjson

from runner.cog_events import Broken, CogEvent, Completed, Snapshot, parse_webhook
from runner.cog_stream import events_of

HEALTH_TIMEOUT_SECONDS = 12.0  # a hanging user health check takes the server 10 s
REQUEST_TIMEOUT_SECONDS = 30.0
SILENCE_TIMEOUT_SECONDS = 60.0  # the server sends a keep-alive after 15 s of silence
CAPACITY_PAUSES_MS = (1, 2, 5, 10, 20, 50, 100, 200, 300, 300)

# The server looks for a running prediction of that id before it reads the input, and validates the input of any other:
# whatever a model's schema says, its Input is an object, so this body attaches to what runs and starts nothing.
# Verified on 0.23.1: running -> 200/202, finished or unknown -> 422, also without inputs or a free slot.
_ATTACH_ONLY = orjson.dumps({"input": []})


class CogletError(Exception):
    """Something between us and the server."""


class Unreachable(CogletError):
    """No (whole) answer.

    may_have_accepted: the request may have reached the server, so it must not be repeated elsewhere while the instance
    lives.
    """

    def __init__(self, reason: str, *, may_have_accepted: bool) -> None:
        super().__init__(reason)
        self.may_have_accepted = may_have_accepted


class AtCapacity(CogletError):
    """Still 409 after about a second: our count of slots is wrong, or the worker is dead."""


class NotReady(CogletError):
    """Setup has not finished, or failed."""


class InputRefused(CogletError):
    """422. detail: the server's list of `{loc, msg, type}`."""

    def __init__(self, detail: list[dict[str, Any]]) -> None:
        super().__init__("; ".join(str(problem.get("msg")) for problem in detail))
        self.detail = detail


class NotRunning(CogletError):
    """The server runs no prediction of this id: it has ended, or never was."""


class StreamingUnsupported(CogletError):
    """406: the model's schema does not say `x-cog-streaming`, or there is no schema."""


class UnexpectedAnswer(CogletError):
    """A status the contract doesn't have."""


@dataclass(frozen=True, slots=True)
class Health:
    """`GET /health-check`.  Source: cog-runtime.md 4.3.

    status: STARTING, READY, BUSY, SETUP_FAILED, UNHEALTHY or UNKNOWN.
    """

    status: str
    setup_status: str = ""
    setup_logs: str = ""
    error: str = ""
    coglet_version: str = ""

    @property
    def is_set_up(self) -> bool:
        """Setup is done and the worker lives; the slots may all be taken."""
        return self.status in ("READY", "BUSY") or (self.status == "UNHEALTHY" and not self.has_dead_worker)

    @property
    def has_dead_worker(self) -> bool:
        """Never heals: replace the instance.  Source: cog-runtime.md 4.12."""
        return self.status == "DEFUNCT" or (self.status == "UNHEALTHY" and "channel closed" in self.error)


class Coglet:
    """One server. endpoint: `tcp://host:port` or `unix:///path`. resource: `trainings` for one started in train mode.

    Keeps its connections alive; close it, or use it as an async context.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        resource: Literal["predictions", "trainings"] = "predictions",
    ) -> None:
        scheme, _, address = endpoint.partition("://")
        if scheme not in ("tcp", "unix") or not address:
            raise ValueError(f"not an endpoint: {endpoint!r}")
        self.endpoint = endpoint
        connector: aiohttp.BaseConnector = (
            aiohttp.UnixConnector(path=address, limit=0) if scheme == "unix" else aiohttp.TCPConnector(limit=0)
        )
        self._base = f"http://{address if scheme == 'tcp' else 'coglet'}"
        self._resource = f"{self._base}/{resource}"
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_SECONDS),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; the server and what it runs go on."""
        await self._session.close()

    async def health(self) -> Health:
        """Raises Unreachable (after 12 s at most; one slow answer is no sign of death)."""
        _, body = await self._call("GET", f"{self._base}/health-check", timeout_seconds=HEALTH_TIMEOUT_SECONDS)
        document = orjson.loads(body)
        setup = document.get("setup") or {}
        return Health(
            status=document.get("status", "UNKNOWN"),
            setup_status=setup.get("status") or "",
            setup_logs=setup.get("logs") or "",
            error=document.get("user_healthcheck_error") or "",
            coglet_version=(document.get("version") or {}).get("coglet") or "",
        )

    async def schema(self) -> dict[str, Any] | None:
        """The OpenAPI document the server validates with; None if it has none (yet).  Raises Unreachable."""
        status, body = await self._call("GET", f"{self._base}/openapi.json")
        document: dict[str, Any] | None = orjson.loads(body) if status == 200 else None
        return document

    async def start(
        self,
        prediction_id: str,
        input: Mapping[str, Any],  # the wire's own name
        *,
        webhook_url: str | None = None,
        events: Iterable[str] | None = None,
        context: Mapping[str, str] | None = None,
        traceparent: str | None = None,
    ) -> None:
        """Have the server accept a prediction and return at once; its progress comes by webhook and stream.

        events: of `start|output|logs|completed`; None is all.  A 409 is retried for a second, as slots are freed a
        moment after an answer.  Raises AtCapacity, InputRefused, NotReady, Unreachable, UnexpectedAnswer.
        """
        body: dict[str, Any] = {"id": prediction_id, "input": dict(input)}
        if webhook_url:
            body["webhook"] = webhook_url
        if events is not None:
            body["webhook_events_filter"] = list(events)
        if context:
            body["context"] = dict(context)
        headers = {"Prefer": "respond-async"} | ({"traceparent": traceparent} if traceparent else {})
        url, data = f"{self._resource}/{prediction_id}", orjson.dumps(body)
        for pause_ms in (*CAPACITY_PAUSES_MS, None):
            status, answer = await self._call("PUT", url, data=data, headers=headers)
            if status != 409:
                return _check_accepted(status, answer)
            if pause_ms is not None:
                await asyncio.sleep(pause_ms / 1000)
        raise AtCapacity(prediction_id)

    async def snapshot(self, prediction_id: str) -> Snapshot:
        """What a running prediction has so far, without disturbing it or running a finished one again.

        Raises NotRunning, Unreachable, and UnexpectedAnswer for a server without a schema (it could run the id again).
        """
        if await self.schema() is None:
            raise UnexpectedAnswer("a server without a schema cannot be asked safely")
        headers = {"Prefer": "respond-async"}
        status, body = await self._call(
            "PUT",
            f"{self._resource}/{prediction_id}",
            data=_ATTACH_ONLY,
            headers=headers,
        )
        if status != 202:
            raise NotRunning(prediction_id)
        _, event = parse_webhook(body)
        if isinstance(event, Completed):
            raise NotRunning(prediction_id)
        return event

    async def follow(self, prediction_id: str) -> AsyncGenerator[CogEvent, None]:
        """All events of a running prediction from its first, then live.

        The last one is Completed, or Broken if the stream failed (then the completed webhook tells the rest). Ending
        early (`aclose`) does not cancel it.
        Raises NotRunning for one that has ended (and does not run it again), StreamingUnsupported, Unreachable.
        """
        headers = {"Accept": "text/event-stream", "Content-Type": "application/json"}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=SILENCE_TIMEOUT_SECONDS)
        request = self._session.put(
            f"{self._resource}/{prediction_id}",
            data=_ATTACH_ONLY,
            headers=headers,
            timeout=timeout,
        )
        try:
            answer = await request
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(repr(error), may_have_accepted=False) from error
        try:
            _check_attached(answer.status, prediction_id)
            async for event in events_of(answer):
                yield event
                if isinstance(event, Completed | Broken):
                    return
        finally:
            answer.close()

    async def cancel(self, prediction_id: str) -> bool:
        """Ask for a stop; False if the server doesn't run it (any more). Early ones get lost: repeat every 200-500 ms.

        Raises Unreachable.  Source: cog-runtime.md 4.5, checklist 43.
        """
        status, _ = await self._call("POST", f"{self._resource}/{prediction_id}/cancel")
        return status == 200

    async def shutdown(self) -> None:
        """Have the server exit. Drain first: what runs loses its completed webhook.  Raises Unreachable."""
        await self._call("POST", f"{self._base}/shutdown")

    async def _call(
        self,
        method: str,
        url: str,
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = REQUEST_TIMEOUT_SECONDS,
    ) -> tuple[int, bytes]:
        # Without this content type the server silently takes an empty body.
        headers = {"Content-Type": "application/json", **(headers or {})}
        timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        try:
            async with self._session.request(method, url, data=data, headers=headers, timeout=timeout) as answer:
                return answer.status, await answer.read()
        except aiohttp.ClientConnectorError as error:
            raise Unreachable(str(error), may_have_accepted=False) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(repr(error), may_have_accepted=True) from error


def _check_accepted(status: int, answer: bytes) -> None:
    if status in (200, 202):
        return
    if status == 422:
        raise InputRefused(_detail(answer))
    if status == 503:
        raise NotReady(answer.decode(errors="replace")[:500])
    raise UnexpectedAnswer(f"{status}: {answer[:500].decode(errors='replace')}")


def _detail(answer: bytes) -> list[dict[str, Any]]:
    try:
        return list(orjson.loads(answer)["detail"])
    except (
        orjson.JSONDecodeError,
        KeyError,
        TypeError,
    ):  # a wrong envelope is told in plain text
        return [
            {
                "loc": ["body"],
                "msg": answer.decode(errors="replace"),
                "type": "value_error",
            }
        ]


def _check_attached(status: int, prediction_id: str) -> None:
    if status in (409, 422):
        raise NotRunning(prediction_id)
    if status == 406:
        raise StreamingUnsupported(prediction_id)
    if status == 503:
        raise NotReady(prediction_id)
    if status != 200:
        raise UnexpectedAnswer(f"{status} to an attach")
