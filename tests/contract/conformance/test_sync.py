"""Checklist 61 to 68: `Prefer: wait`.  Source: replicate-api.md 3.5, 8."""

import time
import uuid

import httpx
import pytest

from tests.plugins.live_site import LiveSite

pytestmark = pytest.mark.contract
ENDED = ("succeeded", "failed", "canceled", "aborted")


def create(site: LiveSite, version, value, prefer, **headers):
    began = time.monotonic()
    body = {"version": version, "input": value}
    answer = site.request("POST", "/v1/predictions", json=body, headers={"Prefer": prefer, **headers})
    return answer, time.monotonic() - began


def read(site: LiveSite, answer):
    return site.request("GET", answer.json()["urls"]["get"]).json()


def cancel(site: LiveSite, answer):
    site.request("POST", answer.json()["urls"]["cancel"]).raise_for_status()


@pytest.fixture(scope="module")
def warm(live_site: LiveSite, slow, words):
    """Both have an instance that is set up."""
    for version, value in ((slow, {"seconds": 0}), (words, {"count": 1})):
        answer, _ = create(live_site, version, value, "wait=58")
        assert answer.json()["status"] == "succeeded"


def test_item_061_a_fast_model_is_answered_with_its_end(live_site, echo):
    answer, _ = create(live_site, echo, {"text": "hi"}, "wait")
    assert (answer.status_code, answer.headers["preference-applied"]) == (201, "wait")
    assert (answer.json()["status"], answer.json()["output"]) == ("succeeded", "hi")


def test_item_062_a_failure_is_an_end_too(live_site, fail):
    answer, _ = create(live_site, fail, {"message": "out of cheese"}, "wait")
    assert (answer.status_code, answer.json()["status"]) == (201, "failed")
    assert "out of cheese" in answer.json()["error"]


@pytest.mark.slow  # a bound on time: needs a quiet machine
def test_item_063_an_expired_wait_is_answered_in_time_as_starting(live_site, warm, slow):
    answer, seconds = create(live_site, slow, {"seconds": 30}, "wait=2")
    now = read(live_site, answer)
    cancel(live_site, answer)
    assert 2.0 <= seconds <= 2.3
    assert (answer.status_code, answer.json()["status"], answer.json()["started_at"]) == (202, "starting", None)
    assert now["status"] == "processing"


def test_item_064_a_bare_wait_ends_before_clients_give_up(live_site, warm, slow):
    answer, seconds = create(live_site, slow, {"seconds": 90}, "wait")
    cancel(live_site, answer)
    assert 55 < seconds < 59
    assert (answer.status_code, answer.json()["status"]) == (202, "starting")


def test_item_065_the_clients_own_patience_counts(live_site, warm, slow):
    answer, seconds = create(live_site, slow, {"seconds": 30}, "wait", **{"x-stainless-read-timeout": "10"})
    cancel(live_site, answer)
    assert (answer.status_code, seconds < 9) == (202, True)


def test_item_066_an_iterator_whose_wait_expired_shows_no_items(live_site, warm, words):
    answer, _ = create(live_site, words, {"count": 60, "delay": 0.2}, "wait=2")
    now = read(live_site, answer)
    cancel(live_site, answer)
    assert (answer.status_code, answer.json()["output"], answer.json()["logs"]) == (202, [], "")
    assert now["output"]


@pytest.mark.parametrize("preference", ["wait=0", "wait=abc", "respond-async"])
def test_item_067_preferences_that_make_no_sense_are_ignored(live_site, warm, slow, preference):
    answer, seconds = create(live_site, slow, {"seconds": 30}, preference)
    cancel(live_site, answer)
    assert (answer.status_code, seconds < 1.5) == (201, True)
    assert "preference-applied" not in answer.headers


def test_item_067_more_than_60_acts_as_60(live_site, echo):
    answer, _ = create(live_site, echo, {"text": "hi"}, "wait=600")
    assert answer.headers["preference-applied"] == "wait=60"


def test_item_068_closing_the_connection_does_not_cancel(live_site, warm, slow):
    tag = uuid.uuid4().hex
    body = {"version": slow, "input": {"seconds": 3}, "tags": [tag]}
    with pytest.raises(httpx.ReadTimeout):
        live_site.request("POST", "/v1/predictions", json=body, headers={"Prefer": "wait"}, timeout=1.5)
    until = time.monotonic() + 30
    status = ""
    while status not in ENDED and time.monotonic() < until:
        [prediction] = live_site.request("GET", "/v1/predictions", params={"tag": tag}).json()["results"]
        status = prediction["status"]
        time.sleep(0.2)
    assert (status, prediction["output"]) == ("succeeded", "worked 3 s")
