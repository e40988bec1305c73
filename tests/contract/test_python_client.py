"""The official `replicate` package, unmodified, against a live site with real models."""

import asyncio
import io
import json
import time
from itertools import pairwise

import httpx
import pytest
import replicate
from replicate.exceptions import ModelError, ReplicateError
from replicate.webhook import WebhookSigningSecret

pytestmark = pytest.mark.contract


def version_of(reference: str) -> str:
    return reference.partition(":")[2]


def test_run_returns_the_output(client, echo):
    assert client.run(echo, input={"text": "hello", "shout": True}) == "HELLO"


def test_run_by_name_needs_no_version_for_an_official_model(client, official_echo):
    assert client.run(official_echo, input={"text": "by name"}) == "by name"


def test_run_of_an_iterator_yields_its_items(client, words):
    assert list(client.run(words, input={"count": 4})) == ["word0 ", "word1 ", "word2 ", "word3 "]


@pytest.mark.parametrize("wait", [False, 5, True])
def test_run_waits_as_it_is_told(client, echo, wait):
    assert client.run(echo, input={"text": "any way"}, wait=wait) == "any way"


def test_run_survives_a_wait_that_is_too_short(client, slow):
    assert client.run(slow, input={"seconds": 2.5}, wait=1) == "worked 2.5 s"


def test_run_raises_what_the_model_raised(client, fail):
    with pytest.raises(ModelError, match="out of cheese") as raised:
        client.run(fail, input={"message": "out of cheese"})
    assert raised.value.prediction.status == "failed"
    assert "about to fail" in (raised.value.prediction.logs or "")


def test_a_wrong_input_says_what_to_mend(client, echo):
    with pytest.raises(ReplicateError, match=r"input\.repeat: Must be less than or equal to 1000"):
        client.run(echo, input={"text": "x", "repeat": 1001})


def test_a_wrong_token_is_refused_in_the_words_that_clients_know(live_site, echo):
    impostor = replicate.Client(api_token="r8_wrong", base_url=live_site.base_url)
    with pytest.raises(ReplicateError, match="You did not pass a valid authentication token"):
        impostor.run(echo, input={"text": "x"})


def test_stream_gives_each_word_and_then_ends(client, words):
    events = list(client.stream(words, input={"count": 3}))
    assert [event.event.value for event in events] == ["output"] * 3 + ["done"]
    assert "".join(str(event) for event in events[:3]) == "word0 word1 word2 "


def test_the_words_come_while_the_model_still_works(client, words):
    stream = client.stream(words, input={"count": 3, "delay": 0.7})
    next(iter(stream))
    began = time.monotonic()
    list(stream)
    assert time.monotonic() - began > 0.5


def test_a_stream_that_fails_midway_raises_after_what_there_was(client, words):
    seen: list[str] = []
    with pytest.raises(RuntimeError, match="asked to fail at word 2"):
        seen.extend(str(event) for event in client.stream(words, input={"count": 5, "fail_at": 2}))


def test_a_late_reader_of_a_stream_gets_all_of_it(client, words):
    prediction = client.predictions.create(version=version_of(words), input={"count": 3})
    prediction.wait()
    assert [str(event) for event in prediction.stream()][:3] == ["word0 ", "word1 ", "word2 "]


def test_a_prediction_is_created_read_and_listed(client, echo):
    prediction = client.predictions.create(version=version_of(echo), input={"text": "listed"})
    assert (prediction.status, prediction.output) == ("starting", None)
    prediction.wait()
    again = client.predictions.get(prediction.id)
    assert (again.output, again.metrics["characters"]) == ("listed", 6)
    assert again.completed_at >= again.started_at >= again.created_at
    assert client.predictions.list().results[0].id == prediction.id


def test_a_prediction_grows_while_it_is_polled(client, words):
    prediction = client.predictions.create(version=version_of(words), input={"count": 5, "delay": 0.6})
    lengths = []
    while prediction.status in ("starting", "processing"):
        prediction.reload()
        lengths.append(len(prediction.output or []))
        time.sleep(0.1)
    assert lengths[-1] == 5
    assert len(set(lengths)) > 2


def test_cancel_is_answered_as_canceled_with_what_there_was(client, words):
    prediction = client.predictions.create(version=version_of(words), input={"count": 50, "delay": 0.2})
    while len(prediction.output or []) < 2:
        prediction.reload()
        time.sleep(0.1)
    prediction.cancel()
    canceled = client.predictions.get(prediction.id)
    assert canceled.status == "canceled"
    assert 2 <= len(canceled.output) < 50


def test_files_go_in_and_come_out(client, files):
    outputs = client.run(files, input={"source": io.BytesIO(b"payload"), "count": 2})
    # Over plain http the client hands out addresses; it wraps https ones only.
    contents = [httpx.get(str(url)) for url in outputs]
    assert [answer.content for answer in contents] == [b"payload#0", b"payload#1"]
    assert {answer.headers["content-type"].partition(";")[0] for answer in contents} == {"text/plain"}
    assert {answer.headers["access-control-allow-origin"] for answer in contents} == {"*"}


def test_an_output_may_be_the_next_input(client, files):
    [first] = client.run(files, input={"source": io.BytesIO(b"a"), "count": 1})
    [second] = client.run(files, input={"source": str(first), "count": 1})
    assert httpx.get(str(second)).content == b"a#0#0"


def test_files_are_uploaded_listed_and_deleted(client):
    file = client.files.create(io.BytesIO(b"hello"), filename="hello.txt", metadata={"kind": "greeting"})
    assert (file.name, file.size, file.etag) == ("hello.txt", 5, "5d41402abc4b2a76b9719d911017c592")
    assert file.metadata == {"kind": "greeting"}
    assert file.id in [listed.id for listed in client.files.list()]
    assert client.files.get(file.id).checksums["sha256"].startswith("2cf24dba")
    assert client.files.delete(file.id) is True
    with pytest.raises(ReplicateError, match="File not found"):
        client.files.get(file.id)


def test_models_and_versions_are_read(client, echo):
    model = client.models.get("nina/echo")
    listed = [version.id for version in model.versions.list()]
    assert (model.owner, model.name, model.latest_version.id) == ("nina", "echo", listed[0])
    assert version_of(echo) in listed
    version = model.versions.get(version_of(echo))
    assert "text" in version.openapi_schema["components"]["schemas"]["Input"]["properties"]
    assert version.cog_version


def test_models_are_created_found_and_paged(client, echo):
    created = client.models.create(owner="nina", name="made-by-client", visibility="private", hardware="cpu")
    assert (created.latest_version, created.run_count) == (None, 0)
    assert "echo" in [model.name for model in client.models.search("echo")]
    listed = [model.name for page in replicate.paginate(client.models.list) for model in page]
    assert "echo" in listed
    assert "made-by-client" not in listed


def test_account_hardware_and_collections_are_read(client):
    assert client.accounts.current().username == "nina"
    assert "cpu" in [hardware.sku for hardware in client.hardware.list()]
    collections = client.collections.list()
    assert (collections.next, collections.previous) == (None, None)


def test_a_webhook_is_delivered_and_validates(client, echo, receiver):
    prediction = client.predictions.create(
        version=version_of(echo),
        input={"text": "tell me"},
        webhook=f"{receiver.url}/hook?job=17",
        webhook_events_filter=["start", "completed"],
    )
    start, completed = receiver.wait_for(2)
    assert (start.path, json.loads(start.body)["status"]) == ("/hook?job=17", "processing")
    client.webhooks.validate(
        headers=completed.headers, body=completed.body.decode(), secret=client.webhooks.default.secret()
    )
    body = json.loads(completed.body)
    shown = live_document(client, prediction.id)
    del shown["billing"]  # an extension of what is read
    assert body == shown


def live_document(client, prediction_id):
    return client._client.get(f"/v1/predictions/{prediction_id}").json()


def test_a_forged_webhook_does_not_validate(client, echo, receiver):
    client.predictions.create(version=version_of(echo), input={"text": "x"}, webhook=receiver.url)
    last = receiver.wait_for(1)[-1]
    with pytest.raises(ValueError, match="signature"):
        client.webhooks.validate(
            headers=last.headers, body=last.body.decode(), secret=WebhookSigningSecret(key="whsec_AAAA")
        )


def test_a_receiver_that_fails_is_told_again_under_the_same_id(client, echo, receiver):
    receiver.answers = [500, 302]
    client.predictions.create(
        version=version_of(echo), input={"text": "x"}, webhook=receiver.url, webhook_events_filter=["completed"]
    )
    tries = receiver.wait_for(3)
    assert len({delivery.headers["webhook-id"] for delivery in tries}) == 1
    assert len({delivery.body for delivery in tries}) == 1
    assert {delivery.path for delivery in tries} == {"/"}


def test_progress_webhooks_keep_their_distance_and_the_end_comes_last(client, words, receiver):
    client.predictions.create(
        version=version_of(words),
        input={"count": 20, "delay": 0.1},
        webhook=receiver.url,
        webhook_events_filter=["output", "logs", "completed"],
    )
    receiver.wait_for(3)
    while json.loads(receiver.received[-1].body)["status"] == "processing":
        receiver.wait_for(len(receiver.received) + 1)
    bodies = [json.loads(delivery.body) for delivery in receiver.received]
    assert [body["status"] for body in bodies].count("succeeded") == 1
    times = [delivery.at for delivery in receiver.received[:-1]]
    # 500 ms between sendings; what the network adds differs by a little.
    assert all(later - earlier > 0.45 for earlier, later in pairwise(times))


def test_the_async_variants_do_the_same(client, echo, words):
    async def all_of_it():
        output = await client.async_run(echo, input={"text": "async"})
        items = [item async for item in await client.async_run(words, input={"count": 2})]
        events = [str(event) async for event in await client.async_stream(words, input={"count": 2})]
        prediction = await client.predictions.async_create(version=version_of(echo), input={"text": "later"})
        await prediction.async_wait()
        return output, items, events[:2], prediction.output

    assert asyncio.run(all_of_it()) == ("async", ["word0 ", "word1 "], ["word0 ", "word1 "], "later")
