"""Server-sent events of ended predictions, byte by byte; live ones are followed in tests/contract."""

import pytest

from runner.models import Prediction
from runner.states import FaultClass
from tests.models_catalog.factories import FILE_ITERATOR, TEXT_ITERATOR, VersionFactory, schema
from tests.runner.factories import end, make_prediction


@pytest.fixture
def words(alice):
    return VersionFactory.create(model__account=alice, openapi_schema=schema(output=TEXT_ITERATOR))


FAILED = 'event: error\ndata: {{"detail":"Out of paper"}}\n\nid: {at}:2\nevent: done\ndata: {{"reason":"error"}}\n\n'


def path_of(prediction):
    kind = "files/stream" if prediction.streams_files else "streams"
    return f"/v1/{kind}/{prediction.stream_token}"


def epoch_of(prediction):
    return int(prediction.created_at.timestamp() * 1000)


def body_of(answer):
    """Without the comments that only keep the line open."""
    return answer.text.replace(": keep-alive\n", "")


def test_each_item_is_an_event_with_its_index_and_done_is_last(anonymous_api, words):
    prediction = end(make_prediction(words), output=["Once", " upon\na time", "", "\u00e9\r\n"], logs="x")
    at = epoch_of(prediction)
    answer = anonymous_api.get(path_of(prediction))
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert body_of(answer) == (
        f"id: {at}:0\nevent: output\ndata: Once\n\n"
        f"id: {at}:1\nevent: output\ndata:  upon\ndata: a time\n\n"
        f"id: {at}:3\nevent: output\ndata: \u00e9\ndata: \n\n"
        f"id: {at}:4\nevent: done\ndata: {{}}\n\n"
    )


def test_values_that_are_no_text_are_json(anonymous_api, words):
    prediction = end(make_prediction(words), output=[{"a": 1}, 2])
    assert 'data: {"a":1}\n' in body_of(anonymous_api.get(path_of(prediction)))


@pytest.mark.parametrize(
    ("status", "outcome", "tail"),
    [
        ("failed", {"error": "Out of paper"}, FAILED),
        ("canceled", {"fault_class": FaultClass.USER_CANCEL}, 'event: done\ndata: {{"reason":"canceled"}}\n\n'),
    ],
)
def test_the_end_says_how_it_ended(anonymous_api, words, status, outcome, tail):
    prediction = end(make_prediction(words), status, output=["a"], **outcome)
    assert body_of(anonymous_api.get(path_of(prediction))).endswith(tail.format(at=epoch_of(prediction)))


@pytest.mark.parametrize(
    ("last_seen", "indices"),
    [("{at}:0", [1, 2]), ("{at}:1", [2]), ("{at}:2", []), ("{at}:9", [0, 1, 2]), ("5:0", [0, 1, 2]), ("x", [0, 1, 2])],
)
def test_a_reader_that_comes_back_gets_what_it_lacks(anonymous_api, words, last_seen, indices):
    prediction = end(make_prediction(words), output=["a", "b"])
    at = epoch_of(prediction)
    answer = anonymous_api.get(path_of(prediction), headers={"Last-Event-ID": last_seen.format(at=at)})
    assert [line for line in answer.text.splitlines() if line.startswith("id:")] == [f"id: {at}:{i}" for i in indices]


def test_between_error_and_done_a_reader_gets_done_alone(anonymous_api, words):
    prediction = end(make_prediction(words), "failed", output=["a"], error="Out of paper")
    at = epoch_of(prediction)
    answer = anonymous_api.get(path_of(prediction), headers={"Last-Event-ID": f"{at}:1"})
    assert body_of(answer) == f'id: {at}:2\nevent: done\ndata: {{"reason":"error"}}\n\n'


def test_file_streams_and_text_streams_have_addresses_of_their_own(anonymous_api, alice):
    version = VersionFactory.create(model__account=alice, openapi_schema=schema(output=FILE_ITERATOR))
    prediction = end(make_prediction(version), output=["https://x.test/a.png"])
    assert anonymous_api.get(f"/v1/streams/{prediction.stream_token}").status_code == 404
    assert "data: https://x.test/a.png\n" in anonymous_api.get(path_of(prediction)).text


def test_a_page_of_any_origin_may_read(anonymous_api, words):
    prediction = end(make_prediction(words), output=[])
    reflected = anonymous_api.get(path_of(prediction), headers={"Origin": "https://app.test"}).headers
    assert reflected["access-control-allow-origin"] == "https://app.test"
    assert reflected["access-control-allow-credentials"] == "true"
    assert anonymous_api.get(path_of(prediction)).headers["access-control-allow-origin"] == "*"


def test_a_removed_predictions_stream_is_gone(anonymous_api, words):
    prediction = end(make_prediction(words), output=["a"])
    Prediction.objects.update(data_removed=True)
    assert anonymous_api.get(path_of(prediction)).status_code == 404
