"""Whom next: fair between accounts."""

import datetime

import pytest

from runner import queueing
from runner.pools import Pool
from runner.queueing import Waiting, fair_order, read_queue
from tests.models_catalog.factories import VersionFactory
from tests.runner.factories import make_prediction

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def waiting(name: str, account: int, second: int) -> Waiting:
    return Waiting(name, account, START + datetime.timedelta(seconds=second), Pool("v", "cpu"))


def names(items: list[Waiting]) -> str:
    return " ".join(item.prediction_id for item in items)


def test_one_account_is_served_oldest_first() -> None:
    assert names(fair_order([waiting("b", 1, 2), waiting("a", 1, 1)], {})) == "a b"


def test_a_flood_does_not_delay_somebody_elses_first() -> None:
    flood = [waiting(f"f{n}", 1, n) for n in range(5)]
    assert names(fair_order([*flood, waiting("x", 2, 99)], {})).startswith("f0 x f1")


def test_who_has_much_running_comes_later() -> None:
    items = [waiting("busy", 1, 1), waiting("new", 2, 2)]
    assert names(fair_order(items, {1: 3})) == "new busy"


@pytest.mark.django_db
def test_a_long_queue_of_one_does_not_hide_who_else_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queueing, "_QUEUE_WINDOW", 4)
    flood = VersionFactory.create()
    first, *_ = [make_prediction(flood).pk for _ in range(6)]
    other = make_prediction(VersionFactory.create()).pk
    found = [item.prediction_id for item in read_queue()]
    assert (len(found), found[:2]) == (4, [first, other])


@pytest.mark.django_db
def test_a_short_queue_is_read_oldest_first() -> None:
    version = VersionFactory.create()
    made = [make_prediction(version).pk for _ in range(3)]
    assert [item.prediction_id for item in read_queue()] == made
