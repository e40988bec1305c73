"""The client against the real coglet."""

import asyncio
import base64
import contextlib
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from runner.backends.base import Handle
from runner.callbacks import CallbackListener
from runner.cog_events import Broken, Completed, Log, Output, Snapshot, Started, clean_error
from runner.coglet import (
    AtCapacity,
    Coglet,
    InputRefused,
    NotReady,
    NotRunning,
    StreamingUnsupported,
    UnexpectedAnswer,
    Unreachable,
)
from runner.progress import NewOutput, Progress

pytestmark = pytest.mark.asyncio

ServeModel = Callable[..., Awaitable[Handle]]
TOKEN = "token-of-the-instance"


class Watcher:
    """Collects the webhooks of one prediction; `end` waits for the last."""

    def __init__(self, listener: CallbackListener, prediction_id: str) -> None:
        self.events: list[Snapshot | Completed] = []
        self._ended: asyncio.Future[Completed] = asyncio.get_running_loop().create_future()
        self.url = listener.url(TOKEN)
        listener.expect(TOKEN, prediction_id, self._take)

    async def _take(self, event: Snapshot | Completed) -> None:
        self.events.append(event)
        if isinstance(event, Completed) and not self._ended.done():
            self._ended.set_result(event)

    async def end(self) -> Completed:
        return await asyncio.wait_for(asyncio.shield(self._ended), 20)


async def run(coglet: Coglet, listener: CallbackListener, prediction_id: str, **input: object) -> Completed:
    watcher = Watcher(listener, prediction_id)
    await coglet.start(prediction_id, input, webhook_url=watcher.url, events=["completed"])
    return await watcher.end()


async def cancel_until_ended(coglet: Coglet, prediction_id: str, watcher: Watcher) -> Completed:
    while not watcher._ended.done():
        await coglet.cancel(prediction_id)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(watcher._ended), 0.2)
    return await watcher.end()


@contextlib.asynccontextmanager
async def following(coglet: Coglet, prediction_id: str) -> AsyncIterator[AsyncGenerator[object, None]]:
    events = coglet.follow(prediction_id)
    try:
        yield events
    finally:
        await events.aclose()


async def test_a_prediction_ends_with_its_output_logs_and_metrics(
    serve_model: ServeModel, listener: CallbackListener
) -> None:
    async with Coglet((await serve_model("echo")).endpoint) as coglet:
        end = await run(coglet, listener, "p1", text="hi", repeat=2)
    assert (end.status, end.output, end.logs, end.metrics["characters"]) == (
        "succeeded",
        "hi hi",
        "echoing 2 characters\n",
        2,
    )


async def test_back_to_back_predictions_are_all_accepted(serve_model: ServeModel, listener: CallbackListener) -> None:
    async with Coglet((await serve_model("echo")).endpoint) as coglet:
        ends = [await run(coglet, listener, f"b{number}", text=str(number)) for number in range(50)]
    assert [end.output for end in ends] == [str(number) for number in range(50)]


async def test_a_burst_of_3000_chunks_arrives_whole_by_stream(
    serve_model: ServeModel, listener: CallbackListener
) -> None:
    async with Coglet((await serve_model("stream")).endpoint) as coglet:
        watcher = Watcher(listener, "s1")
        await coglet.start("s1", {"count": 3000, "log_every": 100}, webhook_url=watcher.url, events=["completed"])
        events = [event async for event in coglet.follow("s1")]
        webhook = await watcher.end()
    assert events[0] == Started("s1")
    assert [(e.index, e.value) for e in events if isinstance(e, Output)] == [(n, f"word{n} ") for n in range(3000)]
    assert "".join(event.text for event in events if isinstance(event, Log)) == webhook.logs
    last = events[-1]
    assert isinstance(last, Completed)
    assert (last.status, last.output, last.logs) == (webhook.status, webhook.output, webhook.logs)


async def test_a_stream_and_webhooks_together_tell_each_item_once(
    serve_model: ServeModel, listener: CallbackListener
) -> None:
    progress, deltas = Progress(has_items=True), list[object]()
    async with Coglet((await serve_model("stream")).endpoint) as coglet:
        watcher = Watcher(listener, "s2")
        await coglet.start("s2", {"count": 200}, webhook_url=watcher.url)
        async for event in coglet.follow("s2"):
            deltas += progress.feed(event)
            for webhook in list(watcher.events):
                deltas += progress.feed(webhook)
        await watcher.end()
    items = [item for delta in deltas if isinstance(delta, NewOutput) for item in delta.items]
    assert items == [f"word{number} " for number in range(200)]
    assert progress.ended and progress.ended.logs == "".join(f"word {number}\n" for number in range(200))


async def test_a_stream_whose_history_was_dropped_loses_nothing_in_the_end(
    serve_model: ServeModel, listener: CallbackListener
) -> None:
    handle = await serve_model("stream", env={"COG_STREAM_HISTORY_CAPACITY": "8"})
    progress = Progress(has_items=True)
    async with Coglet(handle.endpoint) as coglet:
        watcher = Watcher(listener, "t1")
        # The last word comes late, so that the prediction still runs when its first events are gone.
        await coglet.start("t1", {"count": 40, "delay": 0.02}, webhook_url=watcher.url, events=["output", "completed"])
        while not any(isinstance(event, Snapshot) and len(event.output) > 20 for event in watcher.events):
            await asyncio.sleep(0.01)
        events = [event async for event in coglet.follow("t1")]
        await watcher.end()
    for event in [*events, *watcher.events]:
        progress.feed(event)
    assert isinstance(events[-1], Broken) and "dropped" in events[-1].reason
    assert progress.ended and progress.ended.output == [f"word{number} " for number in range(40)]


@pytest.mark.parametrize(("model", "input"), [("stream", {"count": 1}), ("hello", {})])
async def test_following_an_ended_prediction_does_not_run_it_again(
    serve_model: ServeModel, listener: CallbackListener, model: str, input: dict[str, object]
) -> None:
    handle = await serve_model(model)
    async with Coglet(handle.endpoint) as coglet:
        watcher = Watcher(listener, "once")
        await coglet.start("once", input, webhook_url=watcher.url)
        await watcher.end()
        with pytest.raises(NotRunning):
            await anext(aiter(coglet.follow("once")))
        with pytest.raises(NotRunning):
            await coglet.snapshot("once")
        # One slot: a second run of "once" would have to end before this one is accepted, and would have been told.
        await run(coglet, listener, "after", **input)
    assert sum(isinstance(event, Completed) for event in watcher.events) == 1
    log = await _log_of(handle)
    assert log.count('"Starting prediction","prediction_id":"once"') == 1


async def _log_of(handle: Handle) -> str:
    folders = Path(tempfile.gettempdir()).glob(f"my-*/served/{handle.instance_id}/log")
    return next(folders).read_text()


async def test_a_model_without_inputs_can_be_followed(serve_model: ServeModel) -> None:
    async with Coglet((await serve_model("hello")).endpoint) as coglet:
        await coglet.start("h1", {})
        values = [event.value async for event in coglet.follow("h1") if isinstance(event, Output)]
    assert values == ["hello ", "world"]


async def test_a_follower_who_leaves_does_not_cancel(serve_model: ServeModel, listener: CallbackListener) -> None:
    async with Coglet((await serve_model("stream")).endpoint) as coglet:
        watcher = Watcher(listener, "l1")
        await coglet.start("l1", {"count": 20, "delay": 0.02}, webhook_url=watcher.url, events=["completed"])
        async with following(coglet, "l1") as events:
            await anext(events)
        assert (await watcher.end()).status == "succeeded"


async def test_a_running_prediction_can_be_looked_at(serve_model: ServeModel, listener: CallbackListener) -> None:
    async with Coglet((await serve_model("slow")).endpoint) as coglet:
        watcher = Watcher(listener, "look")
        await coglet.start("look", {"seconds": 30}, webhook_url=watcher.url, events=["completed"])
        snapshot = await coglet.snapshot("look")
        with pytest.raises(StreamingUnsupported):
            await anext(aiter(coglet.follow("look")))
        end = await cancel_until_ended(coglet, "look", watcher)
    assert (snapshot.output, end.status) == ([], "canceled")


async def test_a_full_server_is_at_capacity(serve_model: ServeModel, listener: CallbackListener) -> None:
    async with Coglet((await serve_model("slow")).endpoint) as coglet:
        watcher = Watcher(listener, "full")
        await coglet.start("full", {"seconds": 30}, webhook_url=watcher.url, events=["completed"])
        with pytest.raises(AtCapacity):
            await coglet.start("more", {"seconds": 0})
        assert (await coglet.health()).status == "BUSY"
        await cancel_until_ended(coglet, "full", watcher)


async def test_a_cancel_of_an_unknown_prediction_says_so(serve_model: ServeModel) -> None:
    async with Coglet((await serve_model("slow")).endpoint) as coglet:
        assert not await coglet.cancel("nobody")


async def test_an_input_that_the_schema_forbids_is_refused_with_its_place(serve_model: ServeModel) -> None:
    async with Coglet((await serve_model("echo")).endpoint) as coglet:
        with pytest.raises(InputRefused) as refused:
            await coglet.start("bad", {"text": "x", "repeat": 0})
    assert refused.value.detail[0]["loc"] == ["body", "input", "repeat"]


async def test_a_models_exception_is_told_in_its_own_words(serve_model: ServeModel, listener: CallbackListener) -> None:
    async with Coglet((await serve_model("fail")).endpoint) as coglet:
        end = await run(coglet, listener, "f1", message="no such weights")
    assert (end.status, clean_error(end.error or ""), end.logs) == (
        "failed",
        "ValueError: no such weights",
        "about to fail\n",
    )


async def test_a_stream_that_fails_midway_keeps_what_was_said(serve_model: ServeModel) -> None:
    async with Coglet((await serve_model("stream")).endpoint) as coglet:
        await coglet.start("f2", {"count": 5, "fail_at": 3, "delay": 0.02})
        *_, end = [event async for event in coglet.follow("f2")]
    assert isinstance(end, Completed)
    assert (end.status, end.output) == ("failed", ["word0 ", "word1 ", "word2 "])


async def test_a_dead_worker_is_recognised(serve_model: ServeModel, listener: CallbackListener) -> None:
    async with Coglet((await serve_model("crash")).endpoint) as coglet:
        end = await run(coglet, listener, "c1")
        health = await coglet.health()
    assert (end.status, end.error) == ("failed", "Worker crashed")
    assert health.has_dead_worker and not health.is_set_up


async def test_a_failed_setup_is_told_by_health(serve_model: ServeModel) -> None:
    handle = await serve_model("fail", env={"FAIL_IN_SETUP": "1"}, until="SETUP_FAILED")
    async with Coglet(handle.endpoint) as coglet:
        health = await coglet.health()
        with pytest.raises(NotReady):
            await coglet.start("n1", {})
    assert "weights missing" in health.setup_logs and not health.is_set_up


async def test_an_async_model_runs_four_at_once(serve_model: ServeModel, listener: CallbackListener) -> None:
    async with Coglet((await serve_model("async", max_concurrency=4)).endpoint) as coglet:
        ends = await asyncio.gather(*(run(coglet, listener, f"a{n}", text=str(n), seconds=0.3) for n in range(4)))
    assert [end.output["text"] for end in ends] == ["0", "1", "2", "3"]
    assert max(end.output["at_once"] for end in ends) == 4


async def test_files_travel_as_data_uris(serve_model: ServeModel, listener: CallbackListener) -> None:
    source = "data:text/plain;base64," + base64.b64encode(b"abc").decode()
    async with Coglet((await serve_model("files")).endpoint) as coglet:
        end = await run(coglet, listener, "d1", source=source, count=2, size=1_000_000)
    contents = [base64.b64decode(uri.partition(",")[2]) for uri in end.output]
    assert [(len(content), content[:5]) for content in contents] == [(1_000_000, b"abc#0"), (1_000_000, b"abc#1")]


async def test_the_schema_is_the_servers_own(serve_model: ServeModel) -> None:
    async with Coglet((await serve_model("echo")).endpoint) as coglet:
        schema = await coglet.schema()
    assert schema and list(schema["components"]["schemas"]["Input"]["required"]) == ["text"]


async def test_a_server_without_a_schema_is_never_asked_by_id(
    serve_model: ServeModel, short_dir: Path, make_spec: Callable[..., object]
) -> None:
    bare = short_dir / "bare"
    bare.mkdir()
    (bare / "predict.py").write_text("def predict() -> str:\n    return 'ran'\n")
    handle = await serve_model("bare", source_dir=bare, reference="predict.py:predict")
    async with Coglet(handle.endpoint) as coglet:
        with pytest.raises(UnexpectedAnswer):
            await coglet.snapshot("any")


async def test_nobody_there_is_unreachable_and_surely_did_not_accept() -> None:
    async with Coglet("unix:///tmp/nobody-listens-here") as coglet:
        with pytest.raises(Unreachable) as unreachable:
            await coglet.start("u1", {})
    assert not unreachable.value.may_have_accepted


async def test_a_server_can_be_asked_to_exit(serve_model: ServeModel) -> None:
    async with Coglet((await serve_model("echo", env={"FOR": "shutdown"})).endpoint) as coglet:
        await coglet.shutdown()
        async with asyncio.timeout(10):
            with pytest.raises(Unreachable):
                while True:
                    await coglet.health()


@pytest.mark.parametrize("endpoint", ["", "http://127.0.0.1:1", "tcp://", "/path"])
async def test_an_endpoint_of_another_kind_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="not an endpoint"):
        Coglet(endpoint)
