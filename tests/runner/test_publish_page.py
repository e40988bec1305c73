"""The publish page and the page of a version: mistakes beside their fields, nothing lost, and who sees what."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from models_catalog.models import Model, Version
from runner.models import Build, StoredFile
from tests.models_catalog.factories import ModelFactory, VersionFactory
from tests.models_catalog.projects import project, tarred, zipped

NEW = {"target": "+", "name": "tiny", "visibility": "public", "hardware": "cpu-small", "description": "Small"}


def upload(archive=None, name="model.zip"):
    return SimpleUploadedFile(name, (archive or zipped(project())).getvalue(), "application/zip")


def errors_of(answer):
    return {field: list(errors) for field, errors in answer.context["form"].errors.items()}


def test_visitors_sign_in_first(visitor):
    answer = visitor.get("/publish")
    assert (answer.status_code, "next=/publish" in answer["Location"]) == (302, True)


def test_the_form_shows_hardware_with_its_price(alice_at_home):
    page = alice_at_home.get("/publish").content.decode()
    assert "CPU (small): $" in page
    assert "per second" in page
    assert "H100" not in page  # no host here has one


def test_a_new_model_and_its_first_version(alice_at_home):
    answer = alice_at_home.post("/publish", {**NEW, "archive": upload()})
    version = Version.objects.get()
    assert answer["Location"] == f"/alice/tiny/versions/{version.pk}"
    assert (version.model.description, version.model.hardware) == ("Small", "cpu-small")
    assert alice_at_home.get(answer["Location"]).status_code == 200


def test_a_new_version_of_ones_own_model(alice_at_home):
    model = ModelFactory.create(account=alice_at_home.account, name="echo")
    alice_at_home.post("/publish", {"target": "echo", "archive": upload(tarred(project()))})
    assert Version.objects.get().model == model
    assert Model.objects.count() == 1


def test_other_peoples_models_cannot_be_chosen(alice_at_home, stranger_at_home):
    ModelFactory.create(account=alice_at_home.account, name="echo")
    answer = stranger_at_home.post("/publish", {"target": "echo", "archive": upload()})
    assert answer.status_code == 422
    assert "target" in errors_of(answer)
    assert not Version.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "Not Good"}, "name"),
        ({"visibility": "secret"}, "visibility"),
        ({"hardware": "gpu-h100"}, "hardware"),
        ({"archive": ""}, "archive"),
        ({"archive": upload(zipped({"readme": "x"}))}, "archive"),
    ],
)
def test_mistakes_are_beside_their_field_and_no_model_is_left_behind(alice_at_home, changes, field):
    answer = alice_at_home.post("/publish", {**NEW, "archive": upload(), **changes})
    assert (answer.status_code, list(errors_of(answer))) == (422, [field])
    assert 'value="Small"' in answer.content.decode()
    assert not Model.objects.exists()


def test_a_name_that_is_taken_is_said_beside_the_name(alice_at_home):
    ModelFactory.create(account=alice_at_home.account, name="tiny")
    answer = alice_at_home.post("/publish", {**NEW, "archive": upload()})
    assert errors_of(answer) == {"name": ["A model with that name and owner already exists."]}


def test_an_archive_survives_mistakes_elsewhere(alice_at_home):
    answer = alice_at_home.post("/publish", {**NEW, "name": "", "archive": upload()})
    kept = StoredFile.objects.get()
    assert f'name="kept_archive" value="{kept.pk}"' in answer.content.decode()
    again = alice_at_home.post("/publish", {**NEW, "kept_archive": kept.pk})
    assert again.status_code == 302
    assert Version.objects.count() == 1
    assert not StoredFile.objects.exists()


def test_nobody_publishes_what_somebody_else_uploaded(alice_at_home, stranger_at_home):
    alice_at_home.post("/publish", {**NEW, "name": "", "archive": upload()})
    answer = stranger_at_home.post("/publish", {**NEW, "kept_archive": StoredFile.objects.get().pk})
    assert list(errors_of(answer)) == ["archive"]
    assert not Version.objects.exists()


def test_each_mistake_in_cog_yaml_is_shown(alice_at_home):
    bad = upload(zipped(project(cog__yaml="build:\n  gpus: 1\nrun: x\n")))
    answer = alice_at_home.post("/publish", {**NEW, "archive": bad})
    assert "cog.yaml/build.gpus: Unknown key. Did you mean &#x27;gpu&#x27;?" in answer.content.decode()


# --- The page of a version ------------------------------------------------------------------------------------------


@pytest.fixture
def building(alice_at_home):
    version = VersionFactory.create(model__account=alice_at_home.account, status=Version.Status.SUBMITTED, latest=False)
    build = Build.objects.create(version=version, status="running", log="==> Unpack <the> archive\n")
    return version, build, f"/{version.model.full_name}/versions/{version.pk}"


def test_a_running_build_shows_its_log_and_refreshes_without_scripts(alice_at_home, building):
    _, build, path = building
    page = alice_at_home.get(path).content.decode()
    assert "==&gt; Unpack &lt;the&gt; archive" in page
    assert f'data-build="{build.pk}" data-at="{len(build.log)}" data-live' in page
    assert 'http-equiv="refresh"' in page


def test_a_failed_build_says_first_what_to_mend(alice_at_home, building):
    version, build, path = building
    Version.objects.filter(pk=version.pk).update(status="failed")
    Build.objects.filter(pk=build.pk).update(status="failed", error="There is no package named x.\nMend line 1.")
    page = alice_at_home.get(path).content.decode()
    assert page.index("There is no package named x.") < page.index("Mend line 1.") < page.index("Build log")
    assert "data-live" not in page


def test_a_ready_version_can_be_run(alice_at_home, building):
    version, build, path = building
    Version.objects.filter(pk=version.pk).update(status="ready")
    Build.objects.filter(pk=build.pk).update(status="succeeded")
    Model.objects.filter(pk=version.model_id).update(latest_version=version)
    assert f'href="/{version.model.full_name}">Run it</a>' in alice_at_home.get(path).content.decode()


def test_strangers_see_a_version_when_it_can_run_and_never_its_log(stranger_at_home, visitor, building):
    version, _, path = building
    assert stranger_at_home.get(path).status_code == 404
    Version.objects.filter(pk=version.pk).update(status="ready")
    for browser in (stranger_at_home, visitor):
        answer = browser.get(path)
        assert answer.status_code == 200
        assert "Unpack" not in answer.content.decode()
    Model.objects.update(visibility="private")
    assert stranger_at_home.get(path).status_code == 404


def test_a_version_of_another_model_is_not_found(alice_at_home, building):
    other = ModelFactory.create(account=alice_at_home.account, name="other")
    version, _, _ = building
    assert alice_at_home.get(f"/{other.full_name}/versions/{version.pk}").status_code == 404
