"""Run counts of models."""

import pytest

from models_catalog.models import Model
from runner import run_counts
from tests.models_catalog.factories import VersionFactory
from tests.runner.factories import make_prediction

pytestmark = pytest.mark.django_db


def test_a_models_count_is_its_predictions() -> None:
    version, unused = VersionFactory.create(), VersionFactory.create()
    make_prediction(version)
    make_prediction(version)
    run_counts.refresh()
    run_counts.refresh()
    assert Model.objects.get(pk=version.model_id).run_count == 2
    assert Model.objects.get(pk=unused.model_id).run_count == 0
