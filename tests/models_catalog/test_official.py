"""Official models are run by their name alone."""

import pytest

from models_catalog import curation
from models_catalog.models import Model
from tests.models_catalog.factories import ModelFactory


@pytest.mark.django_db
def test_a_model_is_official_once_the_platform_stands_for_it() -> None:
    model, other = ModelFactory.create(), ModelFactory.create()
    curation.make_official(model)
    assert list(Model.objects.filter(is_official=True)) == [model]
    assert not Model.objects.get(pk=other.pk).is_official
