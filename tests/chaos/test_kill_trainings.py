"""Whatever is killed while models train, each training ends once, with exactly one version, and nothing is left."""

import base64
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.chaos.inspection import instance_pids, kill, query
from tests.plugins.live_site import HIGH_LIMITS, LiveSite

pytestmark = pytest.mark.chaos
_COUNT = 4
_SETTLED_SECONDS = 120.0
_IDLE_SECONDS = 30.0
_TEXT = "data:text/plain;base64," + base64.b64encode(b"a poem").decode()


@pytest.fixture(scope="module")
def site() -> Iterator[LiveSite]:
    """A site of its own with a trainer and a destination."""
    with LiveSite.started(IDLE_STOP_SECONDS="2", **HIGH_LIMITS) as site:
        site.publish("learner")
        wanted = {"owner": "nina", "name": "tuned", "visibility": "public", "hardware": "cpu-small"}
        site.request("POST", "/v1/models", json=wanted).raise_for_status()
        yield site
        print(site.log()[-30_000:])  # pytest shows it where something failed


def kill_an_instance(site: LiveSite) -> None:
    """The oldest process of one that trains: at the moment none may, if one has just ended before the next began."""
    training = "SELECT instance_id FROM runner_prediction WHERE status = 'processing' LIMIT 1"
    _wait(site, training, 30)
    if rows := query(site, training):
        os.kill(min(instance_pids(site)[rows[0]["instance_id"]]), signal.SIGKILL)


def _kill(name: str) -> Callable[[LiveSite], object]:
    return lambda site: kill(site, name)


VICTIMS = {name: _kill(name) for name in ("runner", "web", "valkey", "postgres")} | {"instance": kill_an_instance}


@pytest.mark.parametrize("after_seconds", [0.2, 1.5], ids=["at its start", "about its end"])
@pytest.mark.parametrize("victim", VICTIMS)
def test_each_training_makes_one_version_whatever_dies(site: LiveSite, victim: str, after_seconds: float) -> None:
    trainings = [_train(site) for _ in range(_COUNT)]
    _wait(site, "SELECT 1 WHERE EXISTS (SELECT 1 FROM runner_prediction WHERE status = 'processing')", 60)
    time.sleep(after_seconds)
    VICTIMS[victim](site)
    _wait(
        site,
        "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM runner_prediction WHERE status IN ('starting', 'processing'))",
        _SETTLED_SECONDS,
    )
    rows = query(site, "SELECT * FROM runner_prediction WHERE id = ANY(%s)", trainings)
    assert [(row["status"], row["error"]) for row in rows] == [("succeeded", None)] * _COUNT
    made = query(site, "SELECT id, training_id FROM models_catalog_version WHERE training_id = ANY(%s)", trainings)
    assert sorted(row["training_id"] for row in made) == sorted(trainings)
    assert {f"nina/tuned:{row['id']}" for row in made} == {row["output"]["version"] for row in rows}
    _wait(
        site,
        "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM runner_instance WHERE state NOT IN ('stopped', 'failed'))",
        _IDLE_SECONDS,
    )
    assert instance_pids(site) == {}


def _train(site: LiveSite) -> str:
    path = f"/v1/models/nina/learner/versions/{site.publish('learner')}/trainings"
    body = {"destination": "nina/tuned", "input": {"text": _TEXT, "seconds": 1.5}}
    end = time.monotonic() + 30
    while True:
        try:
            return str(site.request("POST", path, json=body).raise_for_status().json()["id"])
        except httpx.HTTPError:  # still recovering from what was killed before
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def _wait(site: LiveSite, sql: str, seconds: float) -> None:
    """Until the query has a row; the database may be away meanwhile."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if query(site, sql):
                return
        except Exception as error:  # noqa: BLE001 - psycopg's, while it restarts
            last: Any = error
        else:
            last = "no row"
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s ({last}): {sql}")
