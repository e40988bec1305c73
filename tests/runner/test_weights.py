"""Weights come to a host once, whole, and from wherever they are."""

import hashlib

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from models_catalog import publishing
from models_catalog.models import Version
from runner import deletion, files, weights
from runner.weights import WeightsUnavailable
from tests.models_catalog.factories import TRAINING, ModelFactory, VersionFactory, schema
from tests.runner.factories import make_training


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.WEIGHTS_DIR = tmp_path


@pytest.fixture
def stored(db):
    training = make_training(VersionFactory.create(openapi_schema=schema(**TRAINING)), ModelFactory.create())
    return files.store_output(training, ContentFile(b"learned"), content_type="application/x-tar", filename="w.tar")


def version_with(url: str) -> Version:
    trainer = VersionFactory.create()
    return publishing.accept_trained(
        hashlib.sha256(url.encode()).hexdigest()[:26],
        model=trainer.model,
        trainer=trainer,
        weights=url,
        created_by_id=None,
    )


def test_a_version_without_weights_needs_no_file(db):
    assert weights.ensure_weights(version_with(""), None) is None


def test_our_own_file_is_copied_once_under_its_name(stored):
    version = version_with(files.output_url(stored))
    path = weights.ensure_weights(version, files.find_output(version.weights))
    assert path is not None
    assert (path.name, path.read_bytes()) == ("w.tar", b"learned")
    files.remove([stored])
    assert weights.ensure_weights(version, stored) == path


def test_our_own_file_is_found_under_an_earlier_name_of_the_site(stored):
    moved = files.output_url(stored).replace("http://", "https://old.")
    assert files.find_output(moved) == stored
    assert files.find_output(f"{moved[:-8]}0/w.tar") is None


def test_what_is_gone_is_said(stored):
    version = version_with(files.output_url(stored))
    files.remove([stored])
    with pytest.raises(WeightsUnavailable, match="gone"):
        weights.ensure_weights(version, stored)


def test_an_address_that_cannot_be_reached_is_said(db):
    with pytest.raises(WeightsUnavailable, match="could not be downloaded"):
        weights.ensure_weights(version_with("http://127.0.0.1:9/w.tar"), None)


def test_a_deleted_versions_weights_are_no_longer_needed_here(stored):
    version = version_with(files.output_url(stored))
    path = weights.ensure_weights(version, stored)
    assert path is not None
    assert deletion.unneeded_folders() == []
    Version.objects.filter(pk=version.pk).update(deleted_at=timezone.now())
    assert deletion.unneeded_folders() == [path.parent]
