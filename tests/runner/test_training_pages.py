"""Pages of trainings and of the versions they make: for their account, and for nobody else."""

import pytest

from models_catalog.models import Version
from runner import trainings
from runner.lifecycle import Outcome
from runner.states import Status
from tests.models_catalog.factories import TRAINING, ModelFactory, VersionFactory, schema
from tests.runner.factories import end, make_prediction, make_training, start


@pytest.fixture
def trainer(alice_at_home):
    return VersionFactory.create(
        model__account=alice_at_home.account, model__name="trainer", openapi_schema=schema(**TRAINING)
    )


@pytest.fixture
def training(alice_at_home, trainer):
    return make_training(
        trainer,
        ModelFactory.create(account=alice_at_home.account, name="my-tone"),
        input={"text": "data:text/plain,hello", "order": 3, "key": "hush"},
    )


def succeed(training):
    ended = trainings.succeed(
        Outcome(training.pk, start(training), Status.SUCCEEDED, output={"perplexity": 3.5}, logs="step 1\n")
    )
    assert ended is not None
    return Version.objects.get(training_id=training.pk)


def test_a_training_under_way_says_what_it_will_make(alice_at_home, training):
    html = alice_at_home.get(f"/p/{training.pk}").content.decode()
    assert "Will make a version of" in html
    assert "/alice/my-tone" in html
    assert "hush" not in html
    assert "Run again" not in html


def test_a_training_that_succeeded_leads_to_its_version(alice_at_home, training):
    version = succeed(training)
    html = alice_at_home.get(f"/p/{training.pk}").content.decode()
    assert f"/alice/my-tone?version={version.pk}" in html
    assert "step 1" in html
    assert "perplexity" in html


def test_a_training_that_failed_made_nothing(alice_at_home, training):
    end(training, "failed")
    html = alice_at_home.get(f"/p/{training.pk}").content.decode()
    assert "No version of alice/my-tone was made" in html
    assert "out of paper" in html


def test_its_document_is_the_apis(alice_at_home, training):
    document = alice_at_home.get(f"/p/{training.pk}/json").json()
    assert document["urls"]["get"].endswith(f"/v1/trainings/{training.pk}")


def test_the_list_of_runs_tells_trainings_apart(alice_at_home, training, trainer):
    prediction = make_prediction(trainer)
    everything, only = (alice_at_home.get(f"/dashboard{query}").content.decode() for query in ("", "?kind=training"))
    assert '<span class="badge">training</span>' in everything
    assert (prediction.pk in everything, prediction.pk in only, training.pk in only) == (True, False, True)


def test_the_owner_runs_the_private_version_of_a_public_model_from_its_page(alice_at_home, training):
    version = succeed(training)
    html = alice_at_home.get(f"/alice/my-tone?version={version.pk}").content.decode()
    assert 'id="input-text"' in html
    assert 'id="input-text"' in alice_at_home.get("/alice/my-tone").content.decode()
    assert "its owner alone" in alice_at_home.get(f"/alice/my-tone/versions/{version.pk}").content.decode()


@pytest.mark.parametrize("path", ["/p/{training}", "/alice/my-tone/versions/{version}"])
def test_others_find_nothing(stranger_at_home, training, path):
    version = succeed(training)
    answer = stranger_at_home.get(path.format(training=training.pk, version=version.pk))
    assert answer.status_code == 404


def test_others_see_a_public_model_without_a_version(stranger_at_home, training):
    version = succeed(training)
    for path in ("/alice/my-tone", "/alice/my-tone/versions", f"/alice/my-tone?version={version.pk}"):
        assert version.pk[:12] not in stranger_at_home.get(path).content.decode().replace(path, "")
    assert "No version can be run yet" in stranger_at_home.get("/alice/my-tone").content.decode()
