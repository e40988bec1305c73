"""The client for addresses that users gave: what it refuses, at entry and at connect time, and its limits."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from threading import Thread
from typing import Any

import pytest
from aiohttp import web

from marketplace.lib import egress
from marketplace.lib.egress import EgressFailed, EgressRefused, Policy

LOOPBACK = Policy(allowed_networks=(ip_network("127.0.0.0/8"),))
STRICT = Policy()


async def _drip(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    while True:
        await answer.write(b".")
        await asyncio.sleep(0.01)


def _application() -> web.Application:
    async def file(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 100, content_type="image/png")

    async def named(request: web.Request) -> web.Response:
        return web.Response(body=b"", headers={"Content-Disposition": 'attachment; filename="../../a b.txt"'})

    async def to(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": request.query["to"]})

    async def loop(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "/loop"})

    async def host(request: web.Request) -> web.Response:
        return web.Response(text=request.host.partition(":")[0])

    async def hook(request: web.Request) -> web.Response:
        return web.Response(status=202, body=request.headers["X-Sign"].encode() + await request.read())

    async def big(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()  # chunked: no length to judge by
        await answer.prepare(request)
        for _ in range(100):
            await answer.write(b"x" * 1000)
        return answer

    app = web.Application()
    app.router.add_get("/dir/file.png", file)
    app.router.add_get("/named", named)
    app.router.add_get("/to", to)
    app.router.add_get("/loop", loop)
    app.router.add_get("/host", host)
    app.router.add_get("/big", big)
    app.router.add_get("/drip", _drip)
    app.router.add_post("/hook", hook)
    app.router.add_post("/drip", _drip)
    app.router.add_post("/to", to)
    return app


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A real server on loopback, in a thread of its own so that `post` may block."""
    loop, runner = asyncio.new_event_loop(), web.AppRunner(_application(), shutdown_timeout=0)
    loop.run_until_complete(runner.setup())
    loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
    thread = Thread(target=loop.run_forever)
    thread.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@contextmanager
def names(monkeypatch: pytest.MonkeyPatch, **addresses: str) -> Iterator[None]:
    """Have the system resolve these names so; the boundary of what a test can reach without a network."""
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *rest: Any, **named: Any) -> Any:
        return real(addresses.get(str(host).replace(".", "_"), host), port, *rest, **named)

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolve)
        yield


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "169.254.1.1", "100.64.0.1", "100.100.100.200", "192.0.0.192", "192.0.2.1", "198.18.0.1", "224.0.0.1",
        "240.0.0.1", "255.255.255.255", "192.88.99.1", "::", "::1", "::7f00:1", "fe80::1", "fc00::1", "fd00:ec2::254",
        "fec0::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::1", "2002:a9fe:a9fe::1",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(EgressRefused):
        STRICT.check_address(ip_address(address))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_a_public_address_is_allowed(address: str) -> None:
    STRICT.check_address(ip_address(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "100.64.0.1", "::1", "fd00::1"])
def test_private_addresses_can_be_allowed_all_together(address: str) -> None:
    Policy(allow_private=True).check_address(ip_address(address))


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "0.0.0.0", "224.0.0.1"]
)
def test_metadata_services_stay_refused_where_private_addresses_are_allowed(address: str) -> None:
    with pytest.raises(EgressRefused):
        Policy(allow_private=True).check_address(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/x", "file:///etc/passwd", "gopher://example.com", "example.com", "", "http://", "http:///x",
        "http://example.com:0/", "http://example.com:65536/", "http://127.0.0.1/", "http://[::1]:8000/",
        "http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://017700000001/", "http://localhost/",
        "http://LOCALHOST./", "http://db.localhost/", "http://[::ffff:10.0.0.1]/", "http://user:pw@127.0.0.1/",
        "data:,x",
    ],
)  # fmt: skip
def test_a_url_that_can_be_judged_by_looking_is_refused_when_entered(url: str) -> None:
    with pytest.raises(EgressRefused):
        egress.check_url(url, policy=STRICT)


@pytest.mark.parametrize(
    "url", ["https://example.com/hook?a=1", "http://example.com:65535", "https://1.1.1.1/", "http://bücher.de/"]
)
def test_an_ordinary_url_passes_when_entered(url: str) -> None:
    egress.check_url(url, policy=STRICT)


@pytest.mark.asyncio
async def test_a_file_is_fetched_with_its_type_and_name(server: str) -> None:
    fetched = await egress.fetch(f"{server}/dir/file.png?x=1", max_bytes=100, timeout_seconds=5, policy=LOOPBACK)
    assert (len(fetched.content), fetched.content_type, fetched.filename) == (100, "image/png", "file.png")


@pytest.mark.asyncio
async def test_a_file_name_never_leads_out_of_its_folder(server: str) -> None:
    fetched = await egress.fetch(f"{server}/named", max_bytes=1, timeout_seconds=5, policy=LOOPBACK)
    assert fetched.filename == "a b.txt"


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/dir/file.png", "/big"])
async def test_a_file_above_the_limit_is_not_fetched(server: str, path: str) -> None:
    with pytest.raises(EgressFailed, match="larger than 99 bytes"):
        await egress.fetch(server + path, max_bytes=99, timeout_seconds=5, policy=LOOPBACK)


@pytest.mark.asyncio
async def test_a_dripping_server_is_left_in_time(server: str) -> None:
    with pytest.raises(EgressFailed, match=r"more than 0\.2 s"):
        await egress.fetch(f"{server}/drip", max_bytes=10**9, timeout_seconds=0.2, policy=LOOPBACK)


@pytest.mark.asyncio
async def test_a_missing_file_says_so(server: str) -> None:
    with pytest.raises(EgressFailed, match="404"):
        await egress.fetch(f"{server}/nothing", max_bytes=1, timeout_seconds=5, policy=LOOPBACK)


@pytest.mark.asyncio
async def test_a_redirect_is_followed_where_it_may_lead(server: str) -> None:
    fetched = await egress.fetch(f"{server}/to?to=/dir/file.png", max_bytes=100, timeout_seconds=5, policy=LOOPBACK)
    assert fetched.filename == "file.png"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "target", ["http://10.0.0.1/", "http://169.254.169.254/latest", "file:///etc/passwd", "http://[::1]/"]
)
async def test_a_redirect_into_the_private_network_is_refused(server: str, target: str) -> None:
    with pytest.raises(EgressRefused):
        await egress.fetch(f"{server}/to?to={target}", max_bytes=100, timeout_seconds=5, policy=LOOPBACK)


@pytest.mark.asyncio
async def test_endless_redirects_end(server: str) -> None:
    with pytest.raises(EgressFailed, match="redirects"):
        await egress.fetch(f"{server}/loop", max_bytes=100, timeout_seconds=5, policy=LOOPBACK)


@pytest.mark.asyncio
async def test_a_name_is_judged_by_its_address_when_connecting(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = server.replace("127.0.0.1", "innocent.example") + "/dir/file.png"
    egress.check_url(url, policy=STRICT)
    with names(monkeypatch, innocent_example="127.0.0.1"), pytest.raises(EgressRefused):
        await egress.fetch(url, max_bytes=100, timeout_seconds=5, policy=STRICT)


@pytest.mark.asyncio
async def test_the_host_header_keeps_the_name_though_the_address_is_dialled(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.replace("127.0.0.1", "innocent.example") + "/host"
    with names(monkeypatch, innocent_example="127.0.0.1"):
        fetched = await egress.fetch(url, max_bytes=100, timeout_seconds=5, policy=LOOPBACK)
    assert fetched.content == b"innocent.example"


@pytest.mark.asyncio
async def test_an_unknown_name_is_a_failure_of_the_other_side() -> None:
    with pytest.raises(EgressFailed):
        await egress.fetch("http://nothing.invalid/", max_bytes=1, timeout_seconds=20, policy=STRICT)


def test_a_webhook_is_posted_with_its_headers(server: str) -> None:
    answer = egress.post(f"{server}/hook", b"body", {"X-Sign": "me"}, 5, policy=LOOPBACK)
    assert (answer.status, answer.body) == (202, b"mebody")


def test_a_webhook_is_not_redirected(server: str) -> None:
    assert egress.post(f"{server}/to?to=/hook", b"", {}, 5, policy=LOOPBACK).status == 302


def test_an_endless_answer_to_a_webhook_ends(server: str) -> None:
    with pytest.raises(EgressFailed, match=r"more than 0\.2 s"):
        egress.post(f"{server}/drip", b"", {}, 0.2, policy=LOOPBACK)


def test_a_webhook_to_loopback_is_refused(server: str) -> None:
    with pytest.raises(EgressRefused):
        egress.post(f"{server}/hook", b"", {"X-Sign": ""}, 5, policy=STRICT)


def test_a_closed_port_is_a_failure_of_the_other_side() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # bound but not listening: surely closed
        with pytest.raises(EgressFailed):
            egress.post(f"http://127.0.0.1:{probe.getsockname()[1]}/", b"", {}, 5, policy=LOOPBACK)
