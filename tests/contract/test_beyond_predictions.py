"""What goes beyond Replicate's predictions, on a live site with real models: batches, quotes, places, reruns."""

import json
import time

import pytest

from tests.plugins.live_site import LiveSite

pytestmark = pytest.mark.contract


def get(site: LiveSite, document):
    return site.request("GET", document["urls"]["get"]).json()


def test_a_batch_runs_all_its_inputs_and_tells_once(live_site, echo, receiver):
    inputs = [{"text": f"t{number}"} for number in range(30)]
    body = {"version": echo, "inputs": inputs, "webhook": receiver.url, "tags": ["batch-test"]}
    made = live_site.request("POST", "/v1/batches", json=body)
    assert made.status_code == 201, made.text
    [told] = receiver.wait_for(1, seconds=60)
    document = json.loads(told.body)
    assert (document["status"], document["counts"]["succeeded"]) == ("completed", 30)
    assert document == get(live_site, made.json())
    page = live_site.request("GET", document["urls"]["predictions"]).json()["results"]
    assert [one["output"] for one in page] == [one["text"] for one in inputs]
    time.sleep(1)
    assert len(receiver.received) == 1


def test_a_batch_that_runs_is_canceled_and_its_models_stopped(live_site, slow):
    made = live_site.request("POST", "/v1/batches", json={"version": slow, "inputs": [{"seconds": 60}] * 5}).json()
    until = time.monotonic() + 60
    while not get(live_site, made)["counts"]["processing"] and time.monotonic() < until:
        time.sleep(0.1)
    over = live_site.request("POST", made["urls"]["cancel"]).json()
    assert (over["status"], over["counts"]["canceled"]) == ("completed", 5)
    quick = live_site.request(
        "POST", "/v1/predictions", json={"version": slow, "input": {"seconds": 0}}, headers={"Prefer": "wait=30"}
    )
    assert quick.json()["status"] == "succeeded", "the instance was free again"


def test_a_quote_comes_from_runs_that_were(live_site, slow):
    for _ in range(5):
        body = {"version": slow, "input": {"seconds": 0.5}}
        live_site.request("POST", "/v1/predictions", json=body, headers={"Prefer": "wait"}).raise_for_status()
    quote = live_site.request("POST", "/v1/predictions", json={**body, "dry_run": True})
    expected = quote.json()["expected"]
    assert quote.status_code == 200
    assert 0 < expected["seconds"]["p50"] <= expected["seconds"]["p90"]
    assert expected["cost"]["p50_nanos"] == pytest.approx(expected["seconds"]["p50"] * 25_000, abs=1)


def test_one_that_waits_knows_its_place(live_site, waiting):
    made = [
        live_site.request("POST", "/v1/predictions", json={"version": waiting, "input": {"text": "x"}}).json()
        for _ in range(2)
    ]
    time.sleep(1.1)  # places are remembered for a second
    first, second = (get(live_site, one)["queue"] for one in made)
    assert (second["place"] - first["place"], first["reason"]) == (1, "no_such_hardware")
    for one in made:
        live_site.request("POST", one["urls"]["cancel"])


def test_a_run_is_repeated_with_a_change(live_site, echo):
    body = {"version": echo, "input": {"text": "again", "shout": False}}
    first = live_site.request("POST", "/v1/predictions", json=body, headers={"Prefer": "wait"}).json()
    again = live_site.request(
        "POST", f"/v1/predictions/{first['id']}/rerun", json={"input": {"shout": True}}, headers={"Prefer": "wait"}
    ).json()
    assert (again["output"], again["rerun_of"], again["version"]) == ("AGAIN", first["id"], first["version"])


def test_a_secret_is_not_repeated(live_site, keyed):
    body = {"version": keyed, "input": {"key": "hunter2"}}
    first = live_site.request("POST", "/v1/predictions", json=body, headers={"Prefer": "wait=50"}).json()
    refused = live_site.request("POST", f"/v1/predictions/{first['id']}/rerun")
    assert [one["field"] for one in refused.json()["invalid_fields"]] == ["input.key"]
    again = live_site.request(
        "POST",
        f"/v1/predictions/{first['id']}/rerun",
        json={"input": {"key": "12345"}},
        headers={"Prefer": "wait=50"},
    ).json()
    assert again["output"] == "5 characters"


def test_official_clients_are_not_disturbed_by_what_is_new(client, echo, waiting):
    version = waiting.partition(":")[2]
    prediction = client.predictions.create(version=version, input={"text": "x"}, tags=["from-the-client"])
    prediction.reload()  # its answer has `queue` and `tags`
    assert prediction.status == "starting"
    prediction.cancel()
    assert client.run(echo, input={"text": "still"}) == "still"
