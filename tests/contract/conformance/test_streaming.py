"""Event streams, read as bytes and by the official client.  Source: replicate-api.md 8, items 88 to 94; 4."""

import itertools
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import pytest

from tests.plugins.live_site import LiveSite

pytestmark = pytest.mark.contract

PIECES = ["Once", " upon", "\na time", "  two blanks", "line\n", "\n\n", "naïve 日本 🦙", "tab\tend", " "]
SILENCE_SECONDS = 40


@dataclass(frozen=True)
class Frame:
    """One event as it came."""

    id: str
    event: str
    data: str


def frames_of(body: str) -> list[Frame]:
    """The events of a stream, which must have id, event and data in this order; comments are left out."""
    found = []
    for block in re.sub(r"^:.*\n", "", body, flags=re.MULTILINE).split("\n\n"):
        lines = block.split("\n") if block else []
        if lines:
            names = [line.partition(": ")[0] for line in lines]
            assert names == ["id", "event", *["data"] * (len(lines) - 2)]
            assert len(names) > 2
            values = [line.partition(": ")[2] for line in lines]
            found.append(Frame(values[0], values[1], "\n".join(values[2:])))
    return found


def create(live_site, reference, **inputs):
    body = {"version": reference.partition(":")[2], "input": inputs}
    answer = live_site.request("POST", "/v1/predictions", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def finished(live_site, reference, **inputs):
    """A prediction that has ended."""
    prediction = create(live_site, reference, **inputs)
    httpx.get(prediction["urls"]["stream"], timeout=60)
    return live_site.request("GET", prediction["urls"]["get"]).json()


@pytest.fixture(scope="session")
def pieces(live_site: LiveSite) -> str:
    """Streams what it is given."""
    return f"nina/pieces:{live_site.publish('pieces')}"


@pytest.fixture(scope="session")
def frames(live_site: LiveSite) -> str:
    """Makes files one by one."""
    return f"nina/frames:{live_site.publish('frames')}"


def test_item_088_texts_stream_outside_of_files_and_files_below(live_site, words, frames, echo):
    texts = urlsplit(create(live_site, words, count=1)["urls"]["stream"]).path
    files = urlsplit(create(live_site, frames, count=1)["urls"]["stream"]).path
    assert re.fullmatch(r"/v1/streams/[a-z0-9]{26,}", texts)
    assert re.fullmatch(r"/v1/files/stream/[a-z0-9]{26,}", files)
    assert "stream" not in create(live_site, echo, text="x")["urls"]


def test_item_088_a_stream_of_files_gives_addresses_that_work(live_site, frames):
    stream = httpx.get(create(live_site, frames, count=2)["urls"]["stream"], timeout=60)
    *outputs, done = frames_of(stream.text)
    assert [httpx.get(output.data).text for output in outputs] == ["frame 0", "frame 1"]
    assert done.event == "done"


def test_item_089_a_stream_is_of_three_kinds_of_events_and_ends_with_done(live_site, words):
    stream = httpx.get(create(live_site, words, count=3)["urls"]["stream"], timeout=60)
    assert stream.status_code == 200
    assert stream.headers["content-type"].partition(";")[0] == "text/event-stream"
    assert (stream.headers["cache-control"], stream.headers["x-accel-buffering"]) == ("no-store", "no")
    events = frames_of(stream.text)
    assert [event.event for event in events] == ["output"] * 3 + ["done"]
    assert events[-1].data == "{}"
    numbers = [int(event.id.partition(":")[2]) for event in events]
    assert all(" " not in event.id for event in events)
    assert numbers == sorted(set(numbers))


def test_item_090_the_joined_data_is_the_joined_output(live_site, pieces):
    prediction = create(live_site, pieces, pieces=json.dumps(PIECES))
    stream = httpx.get(prediction["urls"]["stream"], timeout=60)
    data = [event.data for event in frames_of(stream.text) if event.event == "output"]
    output = live_site.request("GET", prediction["urls"]["get"]).json()["output"]
    assert output == PIECES
    assert "".join(data) == "".join(PIECES)


def test_item_090_the_python_client_reads_the_same(client, pieces):
    events = list(client.stream(pieces, input={"pieces": json.dumps(PIECES)}))
    assert "".join(str(event) for event in events if event.event.value == "output") == "".join(PIECES)


def test_item_091_a_failure_is_told_before_the_end(live_site, words):
    stream = httpx.get(create(live_site, words, count=3, fail_at=1)["urls"]["stream"], timeout=60)
    *_, error, done = frames_of(stream.text)
    assert error.event == "error"
    assert "asked to fail at word 1" in json.loads(error.data)["detail"]
    assert (done.event, json.loads(done.data)) == ("done", {"reason": "error"})


def test_item_091_a_cancellation_is_told_as_the_end(live_site, words):
    prediction = create(live_site, words, count=600, delay=0.1)
    with httpx.stream("GET", prediction["urls"]["stream"], timeout=60) as stream:
        body = ""
        for text in stream.iter_text():
            body += text
            if "event: output" in body:
                live_site.request("POST", prediction["urls"]["cancel"])
    last = frames_of(body)[-1]
    assert (last.event, json.loads(last.data)) == ("done", {"reason": "canceled"})


def test_item_092_a_late_reader_gets_everything(live_site, words):
    prediction = finished(live_site, words, count=3)
    assert prediction["status"] == "succeeded"
    events = frames_of(httpx.get(prediction["urls"]["stream"]).text)
    assert [event.data for event in events] == ["word0 ", "word1 ", "word2 ", "{}"]


def test_item_092_who_comes_back_gets_only_later_events(live_site, words):
    address = finished(live_site, words, count=3)["urls"]["stream"]
    events = frames_of(httpx.get(address).text)
    for seen, event in enumerate(events, 1):
        resumed = httpx.get(address, headers={"Last-Event-ID": event.id})
        assert (resumed.status_code, frames_of(resumed.text)) == (200, events[seen:])
    unknown = httpx.get(address, headers={"Last-Event-ID": "nonsense"})
    assert frames_of(unknown.text) == events


def test_item_093_a_silent_start_of_40_s_is_bridged_by_comments(client, words):
    prediction = client.predictions.create(
        version=words.partition(":")[2], input={"count": 1, "delay": SILENCE_SECONDS}, stream=True
    )
    with ThreadPoolExecutor() as pool:
        raw = pool.submit(read_with_times, prediction.urls["stream"])
        events = list(prediction.stream())  # gives up after 30 s without a byte
        body, arrivals = raw.result()
    assert [str(event) for event in events if event.event.value == "output"] == ["word0 "]
    assert arrivals[-1] - arrivals[0] >= SILENCE_SECONDS - 2  # it began a little before it was watched
    assert max(later - earlier for earlier, later in itertools.pairwise(arrivals)) <= 10
    assert re.fullmatch(r"(: keep-alive\n)+", body.partition("id: ")[0])
    assert [event.data for event in frames_of(body)] == ["word0 ", "{}"]


def read_with_times(address: str) -> tuple[str, list[float]]:
    """A whole stream, and when each of its pieces came."""
    arrivals, body = [time.monotonic()], ""
    with httpx.stream("GET", address, timeout=30) as stream:
        for text in stream.iter_text():
            arrivals.append(time.monotonic())
            body += text
    return body, arrivals


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "own"])
def test_item_094_a_stream_needs_no_token_and_minds_none(live_site, words, authorization):
    address = finished(live_site, words, count=1)["urls"]["stream"]
    value = f"Bearer {live_site.token}" if authorization == "own" else authorization
    answer = httpx.get(address, headers={"Authorization": value} if value else {})
    assert (answer.status_code, len(frames_of(answer.text))) == (200, 2)


def test_item_094_any_page_may_read_a_stream(live_site, words):
    address = finished(live_site, words, count=1)["urls"]["stream"]
    answer = httpx.get(address, headers={"Origin": "https://app.example.test"})
    assert answer.headers["access-control-allow-origin"] == "https://app.example.test"


def test_item_094_an_unknown_stream_is_a_problem_document(live_site):
    answer = httpx.get(f"{live_site.base_url}/v1/streams/{'a' * 52}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
