"""`manage.py publish`: a folder becomes a version, its build is shown, and a failure ends with 1 and the reason."""

import io

import pytest
from django.core.management import CommandError, call_command

from models_catalog.models import Model, Version
from tests.models_catalog.projects import COG_MODELS
from tests.runner.building import uv_cache, worker


@pytest.fixture(autouse=True)
def _folders(settings, tmp_path):
    settings.UV_CACHE_DIR = uv_cache()
    settings.ENVIRONMENTS_DIR = tmp_path / "environments"


def publish(*arguments):
    out = io.StringIO()
    call_command("publish", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_a_folder_is_published_with_its_build_log_and_again_at_once(alice):
    with worker():
        out = publish(COG_MODELS / "hello", "alice/hello", "--private", "--description", "Says hello")
    version = Version.objects.get()
    assert "==> Install the packages" in out
    assert f"Published alice/hello:{version.pk}" in out
    model = Model.objects.get()
    assert (model.visibility, model.description, model.latest_version) == ("private", "Says hello", version)
    assert "==>" not in publish(COG_MODELS / "hello", "alice/hello")


def test_a_failed_build_is_an_error_with_what_to_mend(alice, tmp_path):
    (tmp_path / "cog.yaml").write_text('build:\n  python_version: "3.11"\n  gpu: true\nrun: "p.py:P"\n')
    (tmp_path / "p.py").write_text("")
    with worker(), pytest.raises(CommandError, match=r"build\.gpu, which needs a host"):
        publish(tmp_path, "alice/tiny")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("/nowhere", "alice/tiny"), "not a folder"),
        ((COG_MODELS / "hello", "tiny"), "Expected OWNER/NAME"),
        ((COG_MODELS / "hello", "nobody/tiny"), "no account 'nobody'"),
        ((COG_MODELS / "hello", "alice/Not Good", "--hardware", "x9"), "x9 is not a valid hardware SKU"),
        ((COG_MODELS, "alice/tiny"), "no cog.yaml"),
    ],
)
def test_mistakes_are_told_before_anything_is_built(alice, arguments, words):
    with pytest.raises(CommandError, match=words):
        publish(*arguments)
    assert not Version.objects.exists()
