"""What a prediction that waits is told: its place, the reason, an estimate; and that nothing else tells it."""

import datetime

import orjson
import pytest
from django.utils import timezone

from runner import waiting
from runner.models import WebhookDelivery
from runner.waiting import History, Servers, expected_start
from tests.models_catalog.factories import VersionFactory
from tests.runner.factories import end, make_instance, make_prediction, start

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
LONG_AGO = NOW - datetime.timedelta(hours=1)


@pytest.fixture
def version(alice):
    return VersionFactory.create(model__account=alice, model__name="echo")


def after(seconds):
    return NOW + datetime.timedelta(seconds=seconds)


ESTIMATES = {
    "a slot is free": (1, Servers(1, 0, None), History(None, None), NOW),
    "two free slots for two": (2, Servers(2, 0, None), History(None, None), NOW),
    "one runs, we are next": (1, Servers(1, 1, None), History(10, None), after(10)),
    "three rounds": (3, Servers(1, 1, None), History(10, None), after(30)),
    "two slots halve it": (3, Servers(2, 2, None), History(10, None), after(20)),
    "busy and no history": (1, Servers(1, 1, None), History(None, 5), None),
    "booting": (1, Servers(0, 0, NOW), History(None, 5), after(5)),
    "booting behind one": (2, Servers(0, 0, NOW), History(10, 5), after(15)),
    "booting behind one of unknown length": (2, Servers(0, 0, NOW), History(None, 5), None),
    "booting longer than usual": (1, Servers(0, 0, LONG_AGO), History(None, 5), NOW),
    "booting for the first time": (1, Servers(0, 0, NOW), History(10, None), None),
    "nothing there": (1, Servers(0, 0, None), History(10, 5), None),
}


@pytest.mark.parametrize(("place", "servers", "history", "expected"), ESTIMATES.values(), ids=ESTIMATES)
def test_the_start_is_estimated_or_nothing_is_said(place, servers, history, expected):
    assert expected_start(place, servers, history, now=NOW) == expected


def test_one_that_waits_is_told_its_place_and_why(api, version):
    make_instance(make_prediction(version).pool, state="stopped")  # there is a host with room
    second = make_prediction(version)
    queue = api.get(f"/v1/predictions/{second.pk}").json()["queue"]
    assert queue == {"place": 2, "reason": "starting_soon", "message": "starting", "expected_start_at": None}


def test_places_go_by_the_fair_order_between_accounts(api, version, stranger):
    from accounts.models import Account
    from tests.accounts.factories import AccountFactory

    flood = [make_prediction(version) for _ in range(4)]
    type(flood[0]).objects.filter(pk__in=[one.pk for one in flood]).update(account=AccountFactory.create())
    mine = make_prediction(version)
    assert Account.objects.count() == 3
    assert api.get(f"/v1/predictions/{mine.pk}").json()["queue"]["place"] == 2


def test_places_count_only_who_waits_for_the_same_instances(api, alice, version):
    make_prediction(VersionFactory.create(model__account=alice))
    mine = make_prediction(version)
    assert api.get(f"/v1/predictions/{mine.pk}").json()["queue"]["place"] == 1


def test_who_comes_behind_a_busy_instance_is_told_when_it_may_start(api, version):
    for _ in range(5):
        end(make_prediction(version), predict_us=10_000_000)
    running, mine = make_prediction(version), make_prediction(version)
    instance = make_instance(mine.pool, state="busy")
    start(running)
    type(running).objects.filter(pk=running.pk).update(instance=instance)
    queue = api.get(f"/v1/predictions/{mine.pk}").json()["queue"]
    left = datetime.datetime.fromisoformat(queue["expected_start_at"]) - timezone.now()
    assert 8 < left.total_seconds() <= 10


def test_only_reading_one_that_waits_tells(api, version):
    body = {"version": version.pk, "input": {"text": "hi"}, "webhook": "https://hooks.example.com/x"}
    created = api.post("/v1/predictions", body).json()
    prediction = version.predictions.get()
    assert "queue" not in created
    assert "queue" not in api.get("/v1/predictions").json()["results"][0]
    assert "queue" in api.get(created["urls"]["get"]).json()
    end(prediction)
    assert "queue" not in api.get(created["urls"]["get"]).json()
    assert "queue" not in orjson.loads(bytes(WebhookDelivery.objects.get().body))


def test_asking_again_within_a_moment_does_not_read_the_queue_again(api, version, django_assert_max_num_queries):
    mine = make_prediction(version)
    waiting.queue_document(mine)
    with django_assert_max_num_queries(5):
        waiting.queue_document(mine)
