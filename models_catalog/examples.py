"""Copies of predictions worth showing on a model's page. The first is the model's default."""

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import Case, DateTimeField, F, Max, QuerySet, Value, When

from models_catalog.models import Example, Model

_LAST = datetime.datetime(9999, 1, 1, tzinfo=datetime.UTC)


def list_examples(model: Model) -> QuerySet[Example]:
    """The default example first, then the newest: by `shown_at`, each at a moment of its own, as cursors need it.

    Source: replicate-api.md 2.5.
    """
    default = model.examples.values_list("pk", flat=True).first()
    first = When(pk=default, then=Value(_LAST, output_field=DateTimeField()))
    return model.examples.annotate(shown_at=Case(first, default=F("created_at"))).order_by("-shown_at", "-pk")


def save_example(model: Model, prediction: Mapping[str, Any]) -> Example:
    """Keep a copy of a prediction, given as the API shows it; after those there are. The same one is kept once.

    The files it names must stay: their owner must not let them expire.  Source: replicate-api.md 2.5 (default_example).
    """
    with transaction.atomic():
        Model.objects.select_for_update(of=["self"]).get(pk=model.pk)  # two at once must not get one position
        last = model.examples.aggregate(last=Max("position"))["last"]
        example, _ = Example.objects.get_or_create(
            model=model,
            prediction_id=prediction["id"],
            defaults={"prediction": dict(prediction), "position": 0 if last is None else last + 1},
        )
    return example


def remove_examples(model: Model, prediction_ids: Iterable[str]) -> None:
    """Forget the copies of these predictions: what they show is being removed."""
    model.examples.filter(prediction_id__in=prediction_ids).delete()
