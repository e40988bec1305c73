"""First-start seeding: samples are published as everybody's models are, once, and can be interrupted anywhere."""

import base64
import shutil
import threading
import time
from collections.abc import Iterator

import pytest
from django.db import connection

from accounts.models import Account
from marketplace import seeding
from marketplace.samples import example_input, read_samples
from models_catalog.models import Collection, Example, Model, Version
from runner.models import Build, Prediction
from runner.states import Status
from tests.models_catalog.projects import COG_MODELS
from tests.runner.building import uv_cache, worker
from tests.runner.factories import end

SAMPLES = """
collections:
  - {slug: text, name: Text, description: Words.}
samples:
  - name: echo
    title: Echo
    description: Says it again.
    hardware: cpu-small
    collections: [text]
    links: {license_url: "https://example.test/licence", data_url: "https://example.test/data"}
"""


@pytest.fixture(autouse=True)
def samples(settings, tmp_path, committed):
    settings.UV_CACHE_DIR = uv_cache()
    settings.ENVIRONMENTS_DIR = tmp_path / "environments"
    settings.SAMPLES_DIR = tmp_path / "samples"
    shutil.copytree(COG_MODELS / "echo", tmp_path / "samples" / "echo")
    (tmp_path / "samples" / "samples.yaml").write_text(SAMPLES)
    (tmp_path / "samples" / "echo" / "example.json").write_text('{"input": {"text": "hi"}}')
    seeding._is_over.clear()
    return tmp_path / "samples"


@pytest.fixture
def runner() -> Iterator[list[str]]:
    """Ends what is queued, as a runner would; the list says how: `succeeded` unless something is put into it."""
    stop = threading.Event()
    outcomes: list[str] = []

    def work() -> None:
        while not stop.wait(0.05):
            for prediction in Prediction.objects.filter(status=Status.STARTING):
                end(prediction, outcomes.pop() if outcomes else Status.SUCCEEDED, output="HI")
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield outcomes
    stop.set()
    thread.join()


def seed() -> list[str]:
    told: list[str] = []
    seeding.seed(told.append)
    return told


def test_a_sample_is_built_run_and_shown(runner):
    with worker():
        told = seed()
    assert told[-1] == "Samples: 1 of 1 are ready.", told
    model = Model.objects.get()
    assert (model.full_name, model.license_url, model.description) == (
        "modelyard/echo",
        "https://example.test/licence",
        "Says it again.",
    )
    assert list(Collection.objects.get(slug="text").members.all()) == [model]
    example = Example.objects.get()
    assert (example.position, example.prediction["output"], example.prediction["input"]) == (0, "HI", {"text": "hi"})
    assert told[0] == "[1/1] modelyard/echo: building"
    owner = Account.objects.get().user
    assert owner and not owner.has_usable_password()
    assert seeding.progress() is None
    assert seed() == ["Samples: 1 of 1 are ready."]
    assert (Version.objects.count(), Build.objects.count(), Prediction.objects.count()) == (1, 1, 1)


def test_it_goes_on_where_it_was_interrupted(runner):
    class Killed(BaseException):
        pass

    def stop_at(words):
        def report(text):
            if words in text:
                raise Killed

        return report

    with worker():
        for words in ("building", "Install", "running its example", "ready"):
            with pytest.raises(Killed):
                seeding.seed(stop_at(words))
        seed()
    assert (Model.objects.count(), Version.objects.count(), Example.objects.count()) == (1, 1, 1)
    assert Prediction.objects.count() == 1


def test_an_example_that_fails_is_told_and_the_model_stays(runner):
    runner.append(Status.FAILED)
    with worker():
        told = seed()
    assert told[-2:] == ["[1/1] modelyard/echo: the example failed. out of paper", "Samples: 0 of 1 are ready."]
    assert Model.objects.get().latest_version is not None
    assert seeding.progress() is None  # nothing more will come


def _seed_apart() -> None:
    seed()
    connection.close()


def _state() -> str:
    progress = seeding.progress()
    assert progress
    return progress.steps[0].state


def test_progress_follows_the_rows():
    assert seeding.progress() is None  # not begun
    thread = threading.Thread(target=_seed_apart)
    thread.start()
    while not Build.objects.exists():
        time.sleep(0.02)
    states = [_state()]
    Build.objects.update(status="running")
    states.append(_state())
    Version.objects.update(status="failed")
    Build.objects.update(status="failed", error="Mend it.")
    assert states == ["waiting", "building"]
    assert seeding.progress() is None  # all that can happen has happened
    thread.join()


def test_files_of_an_example_are_handed_over_as_data(samples):
    (samples / "echo" / "note.txt").write_text("hello")
    (samples / "echo" / "example.json").write_text('{"input": {"file": "@note.txt", "handle": "@nobody"}}')
    found = example_input(read_samples(samples).models[0])
    assert found == {"file": "data:text/plain;base64," + base64.b64encode(b"hello").decode(), "handle": "@nobody"}
