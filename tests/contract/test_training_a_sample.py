"""The sample language model, trained through the official client: it answers differently, and to its owner alone."""

import io
import re
import time

import pytest
import replicate

from tests.plugins.live_site import ROOT

pytestmark = pytest.mark.contract
STORY = (
    "Every evening the lighthouse keeper polished the brass lamp and counted the herring boats. "
    "The gulls quarrelled above the harbour while the keeper brewed strong coffee. "
    "At midnight the foghorn groaned, and the keeper wrote the weather into a leather ledger. "
)
ASKED = {"prompt": "Every evening the keeper", "max_tokens": 60, "temperature": 0.8, "seed": 7}


@pytest.fixture(scope="module")
def tiny_lm(live_site):
    """`owner/name:id` of the sample, published by nina."""
    return f"nina/tiny-lm:{live_site.publish(str(ROOT / 'samples' / 'tiny-lm'), 'tiny-lm')}"


@pytest.fixture(scope="module")
def trained(live_site, client, tiny_lm):
    """The training, succeeded: of a small text, into a public model that has no other version."""
    wanted = {"owner": "nina", "name": "lighthouse", "visibility": "public", "hardware": "cpu-small"}
    live_site.request("POST", "/v1/models", json=wanted).raise_for_status()
    text = io.BytesIO((STORY * 40).encode())
    text.name = "story.txt"
    training = client.trainings.create(version=tiny_lm, input={"text": text}, destination="nina/lighthouse")
    end = time.monotonic() + 90
    while training.status not in ("succeeded", "failed", "canceled") and time.monotonic() < end:
        time.sleep(0.2)
        training.reload()
    assert training.status == "succeeded", training.error
    return training


@pytest.fixture(scope="module")
def stranger(live_site):
    """Somebody else's client."""
    return replicate.Client(api_token=live_site.new_account("stranger"), base_url=live_site.base_url)


def told_by_the_story(client, reference):
    """Which part of the words that a version writes is from the story."""
    known = set(re.findall(r"\w+", STORY.lower()))
    words = re.findall(r"\w+", "".join(client.run(reference, input=ASKED)).lower())
    assert len(words) > 20
    return sum(word in known for word in words) / len(words)


def test_the_trained_version_speaks_of_what_it_was_trained_on(client, tiny_lm, trained):
    assert told_by_the_story(client, trained.output["version"]) == 1
    assert told_by_the_story(client, tiny_lm) < 0.7


def test_the_training_tells_what_it_learned(client, trained):
    assert "learned" in trained.logs
    assert trained.output["perplexity"] < 10
    assert [one.id for one in client.trainings.list().results].count(trained.id) == 1


def test_its_owner_finds_the_version(live_site, trained):
    name, _, version_id = trained.output["version"].partition(":")
    rows = live_site.request("GET", f"/v1/models/{name}/versions").json()["results"]
    assert [row["id"] for row in rows] == [version_id]


def test_nobody_else_can_run_it(stranger, trained):
    version_id = trained.output["version"].partition(":")[2]
    with pytest.raises(replicate.exceptions.ReplicateError, match="Invalid version or not permitted"):
        stranger.predictions.create(version=version_id, input=ASKED)


def test_nobody_else_can_read_it(live_site, stranger, trained):
    name, _, version_id = trained.output["version"].partition(":")
    token = stranger._api_token
    for path in (f"/v1/models/{name}/versions/{version_id}", f"/{name}/versions/{version_id}"):
        assert live_site.request("GET", path, token=token).status_code == 404
    assert live_site.request("GET", f"/v1/models/{name}/versions", token=token).json()["results"] == []
    assert live_site.request("GET", f"/v1/trainings/{trained.id}", token=token).status_code == 404


def test_nobody_else_can_train_it_further(live_site, stranger, trained):
    name, _, version_id = trained.output["version"].partition(":")
    path = f"/v1/models/{name}/versions/{version_id}/trainings"
    assert live_site.request("POST", path, json={}, token=stranger._api_token).status_code == 404


def test_it_is_in_no_list_and_no_search(live_site, stranger, trained):
    name, _, version_id = trained.output["version"].partition(":")
    token = stranger._api_token
    for method, path, body in [
        ("GET", "/v1/models", None),
        ("QUERY", "/v1/models", "lighthouse"),
        ("GET", f"/v1/models/{name}", None),
        ("GET", f"/{name}", None),
        ("GET", "/explore", None),
        ("GET", "/search?query=lighthouse", None),
    ]:
        answer = live_site.request(method, path, token=token, content=body)
        assert version_id not in answer.text, path
    assert live_site.request("GET", f"/v1/models/{name}").json()["latest_version"] is None
