"""Creating models and submitting versions: what is accepted, what is refused and in which words."""

import io
from pathlib import Path

import pytest
from django.core.files.storage import default_storage

from marketplace.lib.problems import Conflict, PayloadTooLarge, PermissionDenied, ValidationFailed
from models_catalog import archives, project_folder, publishing
from models_catalog.model_fields import NewModel, parse_changes, parse_new_model
from models_catalog.models import Model, Version
from models_catalog.signals import version_submitted
from tests.accounts.factories import AccountFactory, caller_of
from tests.models_catalog.factories import ModelFactory, VersionFactory, schema
from tests.models_catalog.projects import project, tarred, zipped

pytestmark = pytest.mark.django_db
SKUS = ["cpu", "gpu-t4"]


@pytest.fixture
def owner():
    return AccountFactory.create(username="olga")


@pytest.fixture
def caller(owner):
    return caller_of(owner)


@pytest.fixture
def model(owner):
    return ModelFactory.create(account=owner, name="echo")


@pytest.fixture
def submitted():
    """Version ids of which the runner was told."""
    told: list[str] = []

    def note(version_id, **_):
        told.append(version_id)

    version_submitted.connect(note)
    yield told
    version_submitted.disconnect(note)


def new(**changes):
    return NewModel(**{"owner": "olga", "name": "tiny", "visibility": "public", "hardware": "cpu", **changes})


def create(caller, **changes):
    return publishing.create_model(caller, new(**changes), hardware_skus=SKUS)


def test_a_new_model_has_what_was_asked_for(caller):
    made = create(caller, description="Small", license_url="https://example.test/licence")
    made.refresh_from_db()
    assert (made.full_name, made.visibility, made.hardware) == ("olga/tiny", "public", "cpu")
    assert (made.description, made.license_url, made.latest_version) == ("Small", "https://example.test/licence", None)


def test_all_mistakes_of_a_new_model_are_told_at_once():
    document = {"owner": "olga", "name": "Bad Name", "hardware": "gpu-x9", "description": 7, "paper_url": "ftp://x"}
    with pytest.raises(ValidationFailed) as refused:
        parse_new_model(document, hardware_skus=SKUS)
    errors = {error.pointer: error.detail for error in refused.value.errors}
    assert set(errors) == {"/name", "/visibility", "/hardware", "/description", "/paper_url"}
    assert errors["/hardware"] == "gpu-x9 is not a valid hardware SKU. Your options are: cpu, gpu-t4."
    assert errors["/visibility"] == "This field is required."


@pytest.mark.parametrize("name", ["a", "tiny-lm", "v1.2_3", "a" * 100])
def test_good_names(caller, name):
    assert create(caller, name=name).name == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "a--b", "A", "ä", "a b", "a/b", "a" * 101, "a\n"])
def test_bad_names(caller, name):
    with pytest.raises(ValidationFailed, match="name"):
        create(caller, name=name)


def test_a_name_is_given_once_per_owner(caller):
    create(caller)
    with pytest.raises(Conflict, match=r"^A model with that name and owner already exists\.$"):
        create(caller)


def test_nobody_creates_models_for_others(caller):
    AccountFactory.create(username="other")
    with pytest.raises(PermissionDenied):
        create(caller, owner="other")


def test_an_account_may_have_only_so_many_models(caller, model, monkeypatch):
    monkeypatch.setattr(publishing, "MOST_MODELS", 1)
    with pytest.raises(Conflict, match="at most 1 models"):
        create(caller)


def test_null_clears_a_text_and_unknown_members_are_left_alone(caller, model):
    Model.objects.filter(pk=model.pk).update(description="old", readme="kept")
    changes = parse_changes({"description": None, "name": "other", "visibility": "private"})
    publishing.update_model(caller, model, changes)
    model.refresh_from_db()
    assert (model.description, model.readme, model.name, model.visibility) == ("", "kept", "echo", "public")


def test_only_the_owner_changes_a_model(model):
    with pytest.raises(PermissionDenied):
        publishing.update_model(caller_of(AccountFactory.create()), model, {"description": "mine"})


def submit(caller, model, archive=None):
    return publishing.submit_version(caller, model, archive or zipped(project()))


def test_submitting_stores_the_project_and_tells_the_runner_after_commit(
    caller, model, submitted, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        version = submit(caller, model)
        assert submitted == []
    assert submitted == [version.pk]
    assert version.status == Version.Status.SUBMITTED
    assert version.created_by_id == caller.user_id


def test_the_stored_archive_has_the_same_content(caller, model, tmp_path):
    version = submit(caller, model, zipped(project(data__txt="x")))
    with default_storage.open(version.archive) as stored:
        archives.unpack(io.BytesIO(stored.read()), tmp_path / "stored")
    archives.unpack(zipped(project(data__txt="x")), tmp_path / "sent")
    assert project_folder.digest(tmp_path / "stored") == project_folder.digest(tmp_path / "sent")


def test_the_same_content_is_the_same_version_however_it_was_packed(caller, model, submitted):
    first, again = submit(caller, model), submit(caller, model, tarred(project()))
    assert first.pk == again.pk
    assert Version.objects.count() == 1


def test_the_same_content_of_another_model_is_another_version(caller, owner, model):
    assert submit(caller, model).pk != submit(caller, ModelFactory.create(account=owner)).pk


def test_a_version_that_is_ready_is_not_built_again(caller, model, submitted, django_capture_on_commit_callbacks):
    version = submit(caller, model)
    Version.objects.update(status=Version.Status.READY)
    with django_capture_on_commit_callbacks(execute=True):
        assert submit(caller, model).status == Version.Status.READY
    assert submitted == []
    assert Version.objects.get().archive == version.archive


def test_a_failed_version_is_submitted_anew(caller, model, submitted, django_capture_on_commit_callbacks):
    old = submit(caller, model).archive
    Version.objects.update(status=Version.Status.FAILED)
    with django_capture_on_commit_callbacks(execute=True):
        version = submit(caller, model)
    assert version.status == Version.Status.SUBMITTED
    assert submitted == [version.pk]
    assert (default_storage.exists(old), default_storage.exists(version.archive)) == (False, True)


def test_only_the_owner_publishes(model):
    with pytest.raises(PermissionDenied):
        submit(caller_of(AccountFactory.create()), model)


def test_each_mistake_in_cog_yaml_has_its_place(caller, model):
    bad = "build:\n  python_version: 3.10\n  gpus: true\nrun: predict.py\n"
    with pytest.raises(ValidationFailed) as refused:
        submit(caller, model, zipped({"cog.yaml": bad, "predict.py": ""}))
    pointers = {error.pointer for error in refused.value.errors}
    assert pointers == {"/cog.yaml/build.python_version", "/cog.yaml/build.gpus", "/cog.yaml/run"}
    assert not Version.objects.exists()


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        (io.BytesIO(b"no archive at all"), "neither a zip nor a tar.gz"),
        (zipped({**project(), "../evil.py": "x"}), "'..' in it"),
        (tarred(project(), links={"etc": "/etc"}), "symbolic link"),
        (io.BytesIO(zipped(project()).getvalue()[:-40]), "damaged"),
    ],
    ids=["random bytes", "path out of the project", "link", "cut off"],
)
def test_hostile_archives_are_refused_in_words(caller, model, archive, words):
    with pytest.raises(publishing.ArchiveInvalid, match=words):
        submit(caller, model, archive)
    assert not Version.objects.exists()


def test_a_too_large_archive_is_refused_before_it_is_opened(caller, model, settings):
    settings.ARCHIVE_MAX_BYTES = 100
    with pytest.raises(PayloadTooLarge, match=r"larger than 0\.0001 MB"):
        submit(caller, model)


def accept(version, **changes):
    document = {"cog_version": "0.23.1", "config": {}, "schema": schema(), "max_concurrency": 1, **changes}
    return publishing.accept_build(version.pk, **document)


def test_an_accepted_version_can_run_and_is_the_latest(model):
    version = VersionFactory.create(model=model, status=Version.Status.SUBMITTED, latest=False)
    assert accept(version, max_concurrency=4)
    version.refresh_from_db()
    model.refresh_from_db()
    assert (version.status, version.max_concurrency, model.latest_version_id) == ("ready", 4, version.pk)


def test_an_older_version_that_is_built_later_is_not_the_latest(model):
    older = VersionFactory.create(model=model, status=Version.Status.SUBMITTED, latest=False)
    newer = VersionFactory.create(model=model, status=Version.Status.SUBMITTED, latest=False)
    assert accept(newer)
    assert accept(older)
    model.refresh_from_db()
    assert model.latest_version_id == newer.pk


def test_a_build_is_accepted_once(model):
    version = VersionFactory.create(model=model)
    assert not accept(version)
    assert not publishing.reject_build(version.pk)


def test_the_projects_readme_fills_an_empty_one_only(model):
    accept(VersionFactory.create(model=model, status=Version.Status.SUBMITTED, latest=False), readme="# First")
    accept(VersionFactory.create(model=model, status=Version.Status.SUBMITTED, latest=False), readme="# Second")
    model.refresh_from_db()
    assert model.readme == "# First"


def test_packing_a_folder_gives_what_uploading_it_gives(caller, model):
    folder = Path(__file__).parents[1] / "cog_models" / "hello"
    packed = io.BytesIO(project_folder.pack(folder))
    files = {name: (folder / name).read_text() for name in ("cog.yaml", "predict.py")}
    assert submit(caller, model, packed).pk == submit(caller, model, zipped(files)).pk
