"""The HTTP server that our code takes for Stripe: worlds below `/worlds/{id}`, in a thread of the test's process."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import orjson
from aiohttp import web

from tests.stripe_front import checkout, contract, engine_client, forms, pages, portal, radar, webhook_endpoints
from tests.stripe_front.engine_client import Refused
from tests.stripe_front.faults import Fault, When
from tests.stripe_front.routes import Json, refused
from tests.stripe_front.world import Call, World

_OWN = [*checkout.ROUTES, *portal.ROUTES, *radar.ROUTES, *webhook_endpoints.ROUTES]
# What Stripe takes and the engine doesn't know; each is left out on the way, for it changes nothing that we test.
_LEFT_OUT = {"allowed_payment_method_types", "error_on_requires_action", "return_url"}
_LEFT_OUT_OF = {"/v1/invoices/([^/]+)/pay": {"off_session"}}
_REFUSED_SINCE_ENDIVE = ("/v1/payment_intents", "/v1/setup_intents", "/v1/checkout/sessions")
_LAST_BEFORE_ENDIVE = "2026-08-26.dahlia"
_FAULTS = {
    409: {"type": "idempotency_error", "code": "idempotency_key_in_use", "message": "Another request uses this key."},
    429: {"type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests."},
    500: {"type": "api_error", "message": "An unknown error occurred."},
}
Answer = tuple[int, Json, Mapping[str, str]]


@dataclass
class Asked:
    """One call of the API."""

    method: str
    path: str  # /v1/…
    query: forms.Pairs
    body: forms.Pairs
    headers: Mapping[str, str]

    @property
    def params(self) -> Json:
        """Query and form as one."""
        return forms.nested([*self.query, *self.body])

    @property
    def key(self) -> str | None:
        """The idempotency key, which only a POST has."""
        return self.headers.get("Idempotency-Key") if self.method == "POST" else None


@dataclass
class StandIn:
    """The server. `new_world` makes an account of its own for a test."""

    url: str
    engine_url: str
    worlds: dict[str, World] = field(default_factory=dict)

    def new_world(self, *, now: datetime | None = None) -> World:
        """An empty account, at the real time or at `now`; the caller closes it."""
        world = World(self.url, self.engine_url, now=now)
        self.worlds[world.id] = world
        return world

    @contextlib.contextmanager
    def checked_world(self) -> Iterator[World]:
        """An account that is closed in the end. Raises AssertionError for requests that Stripe wouldn't know."""
        world = self.new_world()
        try:
            yield world
        finally:
            world.close()
            del self.worlds[world.id]
        if world.violations:
            raise AssertionError("Not as Stripe's document has it:\n" + "\n".join(world.violations))


@contextlib.contextmanager
def running(log: Path) -> Iterator[StandIn]:
    """Engine and front, up until the end of the context; log: where the engine writes."""
    with engine_client.running(log) as engine_url:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="stripe-front", daemon=True)
        thread.start()
        front = _Front(engine_url)
        stand_in = asyncio.run_coroutine_threadsafe(front.start(), loop).result()
        try:
            yield stand_in
        finally:
            asyncio.run_coroutine_threadsafe(front.stop(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


class _Front:
    def __init__(self, engine_url: str) -> None:
        self._stand_in = StandIn("", engine_url)

    async def start(self) -> StandIn:
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_route("*", "/worlds/{world}/{path:.*}", self._respond)
        self._runner = web.AppRunner(app, access_log=None)
        self._session = aiohttp.ClientSession()
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self._stand_in.url = f"http://{host}:{port}"
        return self._stand_in

    async def stop(self) -> None:
        await self._session.close()
        await self._runner.cleanup()

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        world = self._stand_in.worlds.get(request.match_info["world"])
        if world is None:
            raise web.HTTPNotFound
        path = f"/{request.match_info['path']}"
        body = await request.text()
        if not path.startswith("/v1/"):
            form = dict(forms.pairs(body)) if request.method == "POST" else None
            shown = await asyncio.to_thread(pages.respond, world, path, form)
            headers = {"Location": shown.location} if shown.location else {}
            return web.Response(status=shown.status, text=shown.html, content_type="text/html", headers=headers)
        asked = Asked(request.method, path, forms.pairs(request.query_string), forms.pairs(body), request.headers)
        return await self._api(world, asked, request)

    async def _api(self, world: World, asked: Asked, request: web.Request) -> web.StreamResponse:
        if problem := _before_all(world, asked):
            status, shown, headers = problem
        else:
            fault = world.faults.take(asked.method, asked.path, asked.key)
            if failed := await self._meet(world, asked, fault, "before", request):
                return failed
            status, shown, headers = await self._answer(world, asked)
            if failed := await self._meet(world, asked, fault, "after", request):
                return failed
        world.calls.append(Call(asked.method, asked.path, asked.params, asked.key, status))
        return web.Response(status=status, body=orjson.dumps(shown), content_type="application/json", headers=headers)

    async def _meet(
        self, world: World, asked: Asked, fault: Fault | None, when: When, request: web.Request
    ) -> web.StreamResponse | None:
        """Let the fault happen if it is its time; the answer, where there is one instead of Stripe's."""
        if fault is None or fault.when != when:
            return None
        if callable(fault.how):
            await asyncio.to_thread(fault.how)
            return None
        status = 0 if fault.how == "drop" else fault.how
        world.calls.append(Call(asked.method, asked.path, asked.params, asked.key, status))
        if fault.how != "drop":
            return web.json_response({"error": _FAULTS[fault.how]}, status=fault.how)
        if request.transport:
            request.transport.abort()
        return web.Response()

    async def _answer(self, world: World, asked: Asked) -> Answer:
        for route in _OWN:
            ids = route.ids(asked.method, asked.path)
            if ids is not None:
                return await asyncio.to_thread(world.own, route, ids, asked.params, asked.key)
        return await self._forward(world, asked)

    async def _forward(self, world: World, asked: Asked) -> Answer:
        left_out = _LEFT_OUT.union(*(names for path, names in _LEFT_OUT_OF.items() if forms.fits(path, asked.path)))
        body = urlencode([(name, value) for name, value in asked.body if name.split("[")[0] not in left_out])
        kept = ("Authorization", "Idempotency-Key", "Content-Type")
        headers = {name: asked.headers[name] for name in kept if name in asked.headers}
        url = f"{world.engine.url}{'/stand_in/slowly' if _is_slow(world, asked) else ''}{asked.path}"
        async with self._session.request(
            asked.method, url, params=asked.query, data=body or None, headers=headers
        ) as response:
            shown: Json = orjson.loads(await response.read())
            passed = ("Request-Id", "Idempotent-Replayed", "Stripe-Version")
            headers = {name: response.headers[name] for name in passed if name in response.headers}
            return response.status, world.with_our_pages(shown), headers


def _is_slow(world: World, asked: Asked) -> bool:
    confirms = asked.path == "/v1/payment_intents" and asked.params.get("confirm") == "true"
    confirms = confirms or forms.fits("/v1/payment_intents/[^/]+/confirm", asked.path)
    return world.slow_payments and asked.method == "POST" and confirms


def _before_all(world: World, asked: Asked) -> Answer | None:
    """What Stripe refuses whatever the route; and the check against its document, which only takes notes."""
    try:
        _require_key(world, asked.headers.get("Authorization", ""))
        world.violations += contract.violations(asked.method, asked.path, asked.params)
        _require_no_types(asked)
    except Refused as no:
        return no.status, no.body, {}
    return None


def _require_key(world: World, authorization: str) -> None:
    if authorization != f"Bearer {world.secret_key}":
        raise refused("Invalid API Key provided.", status=401)


def _require_no_types(asked: Asked) -> None:
    """Versions from `endive` on take no payment_method_types any more. Source: billing.md 14.2."""
    newer = asked.headers.get("Stripe-Version", _LAST_BEFORE_ENDIVE) > _LAST_BEFORE_ENDIVE
    if newer and "payment_method_types" in asked.params and asked.path.startswith(_REFUSED_SINCE_ENDIVE):
        raise refused(
            "payment_method_types is no longer supported.",
            code="payment_method_types_no_longer_supported",
            param="payment_method_types",
        )
