"""The listener for coglet's webhooks."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from runner.callbacks import BODY_LIMIT_BYTES, CallbackListener
from runner.cog_events import Completed, Snapshot

pytestmark = pytest.mark.asyncio

END = {"id": "p1", "status": "succeeded", "output": "x", "logs": "", "metrics": {}}


@pytest_asyncio.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def post(session: aiohttp.ClientSession, url: str, body: bytes | None = None) -> int:
    async with session.post(url, data=json.dumps(END).encode() if body is None else body) as answer:
        return answer.status


class Taken(list[Snapshot | Completed]):
    async def take(self, event: Snapshot | Completed) -> None:
        self.append(event)


async def test_a_webhook_reaches_the_handler_of_its_prediction(
    listener: CallbackListener, session: aiohttp.ClientSession
) -> None:
    mine, other = Taken(), Taken()
    listener.expect("token", "p1", mine.take)
    listener.expect("token", "p2", other.take)
    assert await post(session, listener.url("token")) == 200
    assert (mine, other) == ([Completed("succeeded", "x")], [])


async def test_an_instance_cannot_speak_for_anothers_prediction(
    listener: CallbackListener, session: aiohttp.ClientSession
) -> None:
    taken = Taken()
    listener.expect("owner", "p1", taken.take)
    listener.admit("intruder")
    assert [await post(session, listener.url(token)) for token in ("intruder", "guess")] == [200, 404]
    assert taken == []


async def test_what_was_forgotten_is_nobodys(listener: CallbackListener, session: aiohttp.ClientSession) -> None:
    taken = Taken()
    listener.expect("token", "p1", taken.take)
    listener.forget("token", "p1")
    first = await post(session, listener.url("token"))
    listener.dismiss("token")
    assert (first, await post(session, listener.url("token")), taken) == (200, 404, [])


async def test_before_the_take_over_is_done_coglet_is_asked_to_come_again(session: aiohttp.ClientSession) -> None:
    listener = CallbackListener()
    await listener.open()
    try:
        listener.admit("known")
        statuses = [await post(session, listener.url(token)) for token in ("known", "unknown")]
    finally:
        await listener.close()
    assert statuses == [503, 503]


async def test_a_failing_handler_makes_coglet_send_the_end_again(
    listener: CallbackListener, session: aiohttp.ClientSession
) -> None:
    async def fail(event: Snapshot | Completed) -> None:
        raise OSError("database gone")

    listener.expect("token", "p1", fail)
    assert await post(session, listener.url("token")) == 500


async def test_an_answer_waits_for_the_handler(listener: CallbackListener, session: aiohttp.ClientSession) -> None:
    stored, may_store = asyncio.Event(), asyncio.Event()

    async def store(event: Snapshot | Completed) -> None:
        await may_store.wait()
        stored.set()

    listener.expect("token", "p1", store)
    answer = asyncio.create_task(post(session, listener.url("token")))
    await asyncio.wait({answer}, timeout=0.05)
    assert not answer.done()
    may_store.set()
    assert (await answer, stored.is_set()) == (200, True)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"status":"succeeded"}'])
async def test_a_body_that_is_not_coglets_is_refused(
    listener: CallbackListener, session: aiohttp.ClientSession, body: bytes
) -> None:
    listener.admit("token")
    assert await post(session, listener.url("token"), body) == 400


async def test_a_body_above_the_limit_is_refused(listener: CallbackListener, session: aiohttp.ClientSession) -> None:
    listener.admit("token")
    try:
        status = await post(session, listener.url("token"), b" " * (BODY_LIMIT_BYTES + 1))
    except aiohttp.ClientOSError:  # the listener may hang up before all was sent
        status = 413
    assert status == 413


async def test_a_large_end_is_taken(listener: CallbackListener, session: aiohttp.ClientSession) -> None:
    taken = Taken()
    listener.expect("token", "p1", taken.take)
    assert await post(session, listener.url("token"), json.dumps({**END, "output": "x" * 30_000_000}).encode()) == 200
    assert len(taken[0].output or "") == 30_000_000


async def test_it_listens_on_a_unix_socket_too(short_dir: Path) -> None:
    path, taken = short_dir / "callbacks" / "s", Taken()
    listener = CallbackListener(socket_path=path)
    await listener.open()
    listener.expect("token", "p1", taken.take)
    mode = path.stat().st_mode & 0o777
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session:
        status = await post(session, listener.url("token", base="http://127.0.0.1:5001"))
    await listener.close()
    assert (status, len(taken), mode) == (200, 1, 0o600)


async def test_a_restarted_listener_gets_its_old_port_back(session: aiohttp.ClientSession) -> None:
    first = CallbackListener()
    await first.open()
    await first.close()
    second = CallbackListener(port=first.port)
    await second.open()
    port = second.port
    third = CallbackListener(port=port)  # taken: the system chooses another
    await third.open()
    statuses = [await post(session, listener.url("t")) for listener in (second, third)]
    await second.close()
    await third.close()
    assert (port, statuses, third.port != port) == (first.port, [503, 503], True)


@pytest.mark.parametrize(("expected", "fails"), [(["p1"], True), (["p1", "p2"], False)])
async def test_a_body_that_is_too_large_fails_its_prediction_where_there_is_only_one(
    session: aiohttp.ClientSession, expected: list[str], fails: bool
) -> None:
    listener, taken = CallbackListener(body_limit_bytes=1024), Taken()
    await listener.open()
    for prediction_id in expected:
        listener.expect("token", prediction_id, taken.take)
    assert await post(session, listener.url("token"), json.dumps({**END, "output": "x" * 2000}).encode()) == 413
    await listener.close()
    assert [event.status for event in taken if isinstance(event, Completed)] == (["failed"] if fails else [])
