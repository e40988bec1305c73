"""The websocket of a prediction: the line may be cut anywhere, and a page that comes back has all of it, once."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.test import Client

from accounts.models import Account
from marketplace.asgi import application
from runner import lifecycle, streams
from runner.consumers import ENDED, NOT_FOUND, position_of
from runner.events import Event, Position
from runner.lifecycle import Outcome
from runner.models import Prediction
from runner.states import Status
from tests.accounts.factories import AccountFactory
from tests.models_catalog.factories import FILE_ITERATOR, TEXT_ITERATOR, VersionFactory, schema
from tests.runner.factories import make_prediction, start

pytestmark = pytest.mark.usefixtures("committed", "event_loop_thread")
HOST = (b"host", b"testserver")


def cookie_of(account: Account) -> str:
    browser = Client()
    browser.force_login(account.user)  # type: ignore[arg-type]
    return browser.cookies["sessionid"].value


def running(output: dict[str, Any] = TEXT_ITERATOR) -> tuple[Prediction, str, str]:
    """A prediction that runs, its claim, and its owner's session."""
    version = VersionFactory.create(openapi_schema=schema(output=output))
    prediction = make_prediction(version)
    return prediction, start(prediction), cookie_of(version.model.account)


@contextlib.asynccontextmanager
async def watching(prediction_id: str, session: str, query: str = "") -> AsyncIterator[WebsocketCommunicator]:
    headers = [HOST, (b"cookie", f"sessionid={session}".encode())]
    line = WebsocketCommunicator(application, f"/ws/predictions/{prediction_id}{query}", headers=headers)
    connected, _ = await line.connect(timeout=5)
    assert connected
    try:
        yield line
    finally:
        await line.disconnect()


async def read(line: WebsocketCommunicator, kind: str) -> dict[str, Any]:
    """The next message of a kind."""
    while True:
        message: dict[str, Any] = await line.receive_json_from(timeout=8)
        if message["kind"] == kind:
            return message


def end(prediction: Prediction, claim: str, **outcome: Any) -> Prediction:
    ended = lifecycle.end_many([Outcome(prediction.pk, claim, Status.SUCCEEDED, predict_us=1_000_000, **outcome)])[0]
    assert ended is not None
    return ended


async def test_a_page_that_lost_its_line_comes_back_and_misses_and_repeats_nothing() -> None:
    prediction, claim, session = await sync_to_async(running)()
    words = [f"w{index} " for index in range(40)]
    await sync_to_async(lifecycle.save_progress)(prediction.pk, claim, outputs=words[:10], logs="one\n")
    async with watching(prediction.pk, session) as line:
        first = await read(line, "output")
        assert (first["text"], first["next"]) == ("".join(words[:10]), 10)
    # The line is cut here; all the while the model goes on.
    await sync_to_async(lifecycle.save_progress)(prediction.pk, claim, outputs=words[:25], logs="one\ntwo\n")
    await streams.publish(prediction.pk, [Event("output", at=10, items=words[10:25])])
    async with watching(prediction.pk, session, "?outputs=10&logs=4&stage=1") as line:
        logs = await read(line, "logs")
        assert (logs["at"], logs["text"], logs["next"]) == (4, "two\n", 8)
        again = await read(line, "output")
        assert (again["at"], again["text"]) == (10, "".join(words[10:25]))
        await streams.publish(prediction.pk, [Event("output", at=20, items=words[20:30])])  # overlaps what was seen
        assert (await read(line, "output"))["text"] == "".join(words[25:30])
        ended = await sync_to_async(end)(prediction, claim, output=words, logs="one\ntwo\n")
        await streams.publish(prediction.pk, [streams.last_event(ended)])  # 30 to 40 were never published
        assert (await read(line, "output"))["text"] == "".join(words[30:])
        done = await read(line, "done")
        assert done["state"] == "succeeded"
        assert (await line.receive_output(timeout=5))["code"] == ENDED


async def test_the_end_brings_status_and_cost_as_the_page_shows_them() -> None:
    prediction, claim, session = await sync_to_async(running)({"type": "string"})
    await sync_to_async(end)(prediction, claim, output="<b>HI</b>", logs="")
    async with watching(prediction.pk, session, "?stage=1") as line:
        done = await read(line, "done")
    assert "$0.000" in done["status"]
    assert "&lt;b&gt;HI&lt;/b&gt;" in done["output"]
    assert done["verdict"].strip() == ""


async def test_items_that_are_files_arrive_as_the_fragments_that_the_page_uses() -> None:
    prediction, _, session = await sync_to_async(running)(FILE_ITERATOR)
    url = "data:image/png;base64,iVBORw0KGgo="
    async with watching(prediction.pk, session, "?stage=1") as line:
        await line.receive_nothing(timeout=0.7)  # until it has joined and asked for what came before
        await streams.publish(prediction.pk, [Event("output", at=0, items=[url])])
        message = await read(line, "output")
    assert f'src="{url}"' in message["html"]
    assert "text" not in message


async def test_a_page_hears_why_it_waits() -> None:
    def waiting() -> tuple[Prediction, str]:
        version = VersionFactory.create()
        make_prediction(version)
        return make_prediction(version), cookie_of(version.model.account)

    prediction, session = await sync_to_async(waiting)()
    async with watching(prediction.pk, session) as line:
        quiet = await read(line, "quiet")
    assert (quiet["state"], quiet["next"]) == ("starting", 0)
    assert "Queued" in quiet["status"]


@pytest.mark.parametrize("who", ["stranger", "nobody"])
async def test_only_the_predictions_account_may_watch(who: str) -> None:
    prediction, _, _ = await sync_to_async(running)()
    session = await sync_to_async(lambda: cookie_of(AccountFactory.create()))() if who == "stranger" else "none"
    async with watching(prediction.pk, session) as line:
        assert (await line.receive_output(timeout=5))["code"] == NOT_FOUND


async def test_a_page_of_another_site_is_refused() -> None:
    prediction, _, session = await sync_to_async(running)()
    headers = [HOST, (b"cookie", f"sessionid={session}".encode()), (b"origin", b"https://evil.example")]
    line = WebsocketCommunicator(application, f"/ws/predictions/{prediction.pk}", headers=headers)
    connected, code = await line.connect()
    assert (connected, code) == (False, 4403)


@pytest.mark.parametrize(
    ("query", "position"),
    [
        (b"outputs=3&logs=10&stage=1", Position(3, 10, 1)),
        (b"", Position()),
        (b"outputs=-1&logs=x&stage=9", Position(0, 0, 1)),
        (b"outputs=99999999999999999999", Position()),
    ],
)
async def test_a_position_that_makes_no_sense_starts_at_the_beginning(query: bytes, position: Position) -> None:
    assert position_of(query) == position
