"""The event log as it is pulled: nothing missed, nothing twice, nobody else's."""

import datetime
import threading
import time

import psycopg
import pytest
from django.db import connection, transaction

from runner import event_feed, event_log, tasks
from runner.api_events import event_document
from runner.event_feed import Position
from runner.event_log import NewEvent
from runner.models import LoggedEvent
from tests.models_catalog.factories import VersionFactory
from tests.runner.event_horizon import await_other_databases
from tests.runner.factories import end, make_prediction


def write(account, *names):
    event_log.record_many([NewEvent(account.pk, "batch.created", f"batch/{name}") for name in names])


def subjects(page):
    return [event["subject"].removeprefix("batch/") for event in page["events"]]


def pull(api, cursor="", **query):
    await_other_databases()
    answer = api.get("/v1/events", params={"cursor": cursor, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_predictions_moves_are_pulled_in_order(alice, api):
    prediction = make_prediction(VersionFactory.create(model__account=alice))
    end(prediction)
    page = pull(api)
    assert [event["type"] for event in page["events"]] == ["prediction.created", "prediction.succeeded"]
    event = page["events"][0]
    assert event.keys() == {"id", "type", "subject", "created_at", "data", "object"}
    assert event["subject"] == f"prediction/{prediction.pk}"
    assert event["object"].endswith(f"/v1/predictions/{prediction.pk}")
    assert not page["has_more"]


def test_pages_join_without_gap_or_repetition(alice, api):
    write(alice, *"abcde")
    write(alice, "f")
    seen, cursor, more = [], "", True
    while more:
        page = pull(api, cursor, limit=2)
        seen += subjects(page)
        cursor, more = page["next_cursor"], page["has_more"]
    assert seen == list("abcdef")
    assert subjects(pull(api, cursor)) == []
    write(alice, "g")
    assert subjects(pull(api, cursor)) == ["g"]


def test_an_older_transaction_that_commits_after_a_newer_one_is_not_lost(alice, api):
    own = connection.get_connection_params()
    conninfo = {name: own[name] for name in ("host", "port", "dbname", "user", "password") if own.get(name)}
    with psycopg.connect(**conninfo) as older:
        older.execute(
            "INSERT INTO runner_loggedevent (account_id, type, subject, data) VALUES (%s, 'batch.created', %s, '{}')",
            [alice.pk, "batch/older"],
        )
        write(alice, "newer")
        first = pull(api)
        assert subjects(first) == [], "the newer one waits for the older one"
        older.commit()
    assert subjects(pull(api, first["next_cursor"])) == ["older", "newer"]


def test_many_writers_lose_nothing(alice, api):
    done = threading.Event()

    def work(number):
        for turn in range(20):
            with transaction.atomic():
                write(alice, f"{number}-{turn}")
                time.sleep(0.001 * number)
        connection.close()

    writers = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for writer in writers:
        writer.start()
    seen, cursor = [], ""
    while not done.is_set() or pull(api, cursor)["events"]:
        page = pull(api, cursor, limit=7)
        seen += subjects(page)
        cursor = page["next_cursor"]
        if not any(writer.is_alive() for writer in writers):
            done.set()
    assert len(seen) == 100
    assert set(seen) == {f"{number}-{turn}" for number in range(5) for turn in range(20)}


def test_others_events_are_not_there(alice, stranger_api):
    write(alice, "a")
    assert pull(stranger_api)["events"] == []


def test_filters(alice, api):
    prediction = make_prediction(VersionFactory.create(model__account=alice))
    end(prediction)
    write(alice, "a")
    assert [e["type"] for e in pull(api, type="prediction.succeeded,batch.created")["events"]] == [
        "prediction.succeeded",
        "batch.created",
    ]
    assert len(pull(api, subject=f"prediction/{prediction.pk}")["events"]) == 2
    nothing = pull(api, type="training.failed")
    write(alice, "b")
    assert subjects(pull(api, nothing["next_cursor"])) == ["b"], "the position has passed what was left out"


@pytest.mark.parametrize("cursor", ["x", "!!!!", "MTI", "LTEuMg", "MS4yLjM", "OTk5OTk5OTk5OTk5OTk5OTk5OTkuMQ", "é"])
def test_a_made_up_cursor_is_not_found(api, cursor):
    answer = api.get("/v1/events", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["detail"]) == (404, "Invalid cursor")


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"wait": "31"}, {"wait": "-1"}])
def test_numbers_out_of_bounds_are_named(api, query):
    answer = api.get("/v1/events", params=query)
    assert answer.status_code == 400
    assert next(iter(query)) in answer.text


def test_a_position_survives_its_cursor():
    for position in (Position(), Position(7, 12), Position(2**62, 1)):
        assert Position.parse(position.cursor) == position


def test_a_held_request_is_answered_when_something_happens(alice, api):
    cursor = pull(api)["next_cursor"]

    def happen():
        write(alice, "late")
        connection.close()

    later = threading.Timer(0.3, happen)
    later.start()
    assert subjects(pull(api, cursor, wait=30)) == ["late"]
    later.join()


def test_a_held_request_ends_with_nothing(api):
    assert pull(api, wait=1)["events"] == []


def test_old_events_are_removed(alice, api, settings):
    settings.EVENTS_KEPT_DAYS = 30
    write(alice, "old", "new")
    old = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=31)
    LoggedEvent.objects.filter(subject="batch/old").update(created_at=old)
    tasks.remove_old_events()
    assert subjects(pull(api)) == ["new"]
    assert event_feed.remove_old() == 0


@pytest.mark.parametrize(
    ("subject", "path"),
    [
        ("prediction/abc", "/v1/predictions/abc"),
        ("training/abc", "/v1/trainings/abc"),
        ("batch/abc", "/v1/batches/abc"),
        ("deployment/alice/shop", "/v1/deployments/alice/shop"),
    ],
)
def test_an_event_says_where_to_read_what_it_happened_to(settings, subject, path):
    event = LoggedEvent(pk=7, type="x", subject=subject, created_at=datetime.datetime.now(datetime.UTC))
    document = event_document(event)
    assert (document["id"], document["object"]) == ("evt_7", settings.PUBLIC_URL + path)
