"""Publishing over the API: what is answered to good, bad and hostile archives, and who may ask."""

import gzip
import io
import zipfile

import pytest

from models_catalog.models import Version
from runner.models import Build
from tests.models_catalog.factories import ModelFactory
from tests.models_catalog.projects import COG_YAML, project, tarred, zipped

PATH = "/v1/models/alice/tiny/versions"


@pytest.fixture
def model(alice):
    return ModelFactory.create(account=alice, name="tiny", hardware="cpu-small")


def post_file(api, archive, path=PATH):
    return api.post(path, files={"archive": ("model.zip", archive, "application/zip")})


def test_a_part_of_a_form_is_a_version_in_its_build(api, model):
    answer = post_file(api, zipped(project()))
    document = answer.json()
    assert answer.status_code == 201
    assert document["status"] == "submitted"
    assert document["build"]["status"] == "queued"
    assert Version.objects.get().pk == document["id"]
    assert document["build"]["urls"]["web"].endswith(f"/alice/tiny/versions/{document['id']}")


@pytest.mark.parametrize("content_type", ["application/gzip", "application/octet-stream", "", "application/json"])
def test_the_body_itself_may_be_the_archive(api, model, content_type):
    answer = api.post(PATH, content=tarred(project()).getvalue(), headers={"content-type": content_type})
    assert answer.status_code == 201


def test_the_same_archive_again_is_the_same_version(api, model):
    first, again = post_file(api, zipped(project())), post_file(api, zipped(project()))
    assert (first.json()["id"], first.status_code) == (again.json()["id"], again.status_code)
    assert Build.objects.count() == 1


def test_the_build_tells_its_log_and_what_to_mend(api, model):
    version_id = post_file(api, zipped(project())).json()["id"]
    Build.objects.update(log="==> Unpack\n", error="Mend it.", status="failed")
    document = api.get(f"{PATH}/{version_id}/build").json()
    assert (document["status"], document["log"], document["error"]) == ("failed", "==> Unpack\n", "Mend it.")


def test_strangers_neither_publish_nor_read_builds(api, stranger_api, model):
    version_id = post_file(api, zipped(project())).json()["id"]
    assert post_file(stranger_api, zipped(project())).status_code == 403
    assert stranger_api.get(f"{PATH}/{version_id}/build").status_code == 403
    model.visibility = "private"
    model.save()
    assert post_file(stranger_api, zipped(project())).status_code == 404
    assert stranger_api.get(f"{PATH}/{version_id}/build").status_code == 404
    assert Version.objects.count() == 1


def test_without_a_token_nothing_is_looked_at(anonymous_api, model):
    assert post_file(anonymous_api, zipped(project())).status_code == 401


def bomb():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cog.yaml", COG_YAML)
        archive.writestr("zeros", bytes(60_000_000))
    return packed


@pytest.mark.parametrize(
    ("archive", "status", "words"),
    [
        (io.BytesIO(b"hello"), 422, "neither a zip nor a tar.gz"),
        (io.BytesIO(gzip.compress(b"no tar")), 422, "damaged"),
        (zipped({}), 422, "holds no files"),
        (bomb(), 422, "more than 100 times its own size"),
        (zipped({**project(), "/etc/cron.d/x": "x"}), 422, "absolute path"),
        (tarred({**project(), "a/../../b": "x"}), 422, "'..' in it"),
        (tarred(project(), links={"key": "/etc/shadow"}), 422, "symbolic link"),
        (zipped({"predict.py": ""}), 400, "no cog.yaml"),
        (zipped(project(cog__yaml="build: [")), 400, "Not valid YAML"),
        (zipped(project(cog__yaml=COG_YAML + "gpu: true\n")), 400, "Unknown key"),
        (zipped(project(cog__yaml=COG_YAML.replace("predict.py", "../x.py"))), 400, "inside the project"),
    ],
    ids=["text", "gzip", "empty", "bomb", "absolute", "dots", "link", "no yaml", "bad yaml", "unknown key", "outside"],
)
def test_hostile_and_broken_archives_are_refused_in_words(api, model, archive, status, words):
    archive.seek(0)
    answer = post_file(api, archive)
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    assert answer.json()["errors"]
    assert not Version.objects.exists()


@pytest.mark.parametrize("as_form", [True, False])
def test_a_too_large_archive_is_413(api, model, settings, as_form):
    settings.ARCHIVE_MAX_BYTES = 1000
    large = bytes(5000)
    answer = post_file(api, io.BytesIO(large)) if as_form else api.post(PATH, content=large)
    assert answer.status_code == 413
    assert "larger than 0.001 MB" in answer.json()["detail"]


def test_no_archive_at_all_is_400(api, model):
    answer = api.post(PATH)
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"pointer": "/archive", "detail": "Send a zip or tar.gz of the model's folder."}]
