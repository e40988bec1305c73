"""Which predictions a list shows, as its query says. All but time and source are extensions.

Source: replicate-api.md 1.8, 2.4.
"""

import datetime
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.http import QueryDict

from marketplace.lib import query_parameters
from marketplace.lib.problems import FieldError, ValidationFailed
from models_catalog.models import Model
from runner import tags
from runner.models import Deployment, Prediction
from runner.states import Status

_WEB_DAYS = 14


def narrowed(rows: QuerySet[Prediction], query: QueryDict, *, now: datetime.datetime) -> QuerySet[Prediction]:
    """The predictions that fit all of the query's filters. Raises ValidationFailed for a value that makes no sense."""
    if after := query_parameters.moment(query, "created_after"):
        rows = rows.filter(created_at__gte=after)
    if before := query_parameters.moment(query, "created_before"):
        rows = rows.filter(created_at__lt=before)
    if query_parameters.choice(query, "source", ["web"], default=""):
        oldest = now - datetime.timedelta(days=_WEB_DAYS)
        rows = rows.filter(source=Prediction.Source.WEB, created_at__gte=oldest)
    if status := query_parameters.choice(query, "status", Status.values, default=""):
        rows = rows.filter(status__in=_stored(status))
    if model := query_parameters.text(query, "model", query_parameters.FULL_NAME, "owner/name"):
        rows = _of_model(rows, model)
    if deployment := query_parameters.text(query, "deployment", query_parameters.FULL_NAME, "owner/name"):
        rows = _of_deployment(rows, deployment)
    if wanted := _tags(query):
        rows = tags.tagged(rows, wanted)
    return rows


def _stored(status: str) -> list[str]:
    """The states that are shown as this one."""
    if settings.REPORT_ABORTED_AS_CANCELED:
        shown: dict[str, list[str]] = {Status.CANCELED: [Status.CANCELED, Status.ABORTED], Status.ABORTED: []}
        return shown.get(status, [status])
    return [status]


def _of_model(rows: QuerySet[Prediction], full_name: str) -> QuerySet[Prediction]:
    """Those of a model, whether or not the caller may still see it; by its id, which is indexed."""
    return rows.filter(model_id__in=_ids_of(Model.objects.all(), full_name))


def _of_deployment(rows: QuerySet[Prediction], full_name: str) -> QuerySet[Prediction]:
    """Those of a deployment; of one that was deleted by the name they keep."""
    found = _ids_of(Deployment.objects.all(), full_name)
    return rows.filter(deployment_id__in=found) if found else rows.filter(deployment_name__iexact=full_name)


def _ids_of(things: QuerySet[Any], full_name: str) -> list[int]:
    """What is called `owner/name`, in any case: by the indices on lower case."""
    owner, _, name = full_name.lower().partition("/")
    keys = things.alias(owner_key=Lower("account__username"), name_key=Lower("name"))
    return list(keys.filter(owner_key=owner, name_key=name).values_list("pk", flat=True))


def _tags(query: QueryDict) -> list[str]:
    """All that are named: `tag` may be given several times."""
    wanted = [tag for tag in query.getlist("tag") if tag]
    for tag in wanted:
        if any(tags.problems([tag])):
            raise ValidationFailed(
                [FieldError("?tag", f"Expected 1 to {tags.LONGEST} printable characters, got {tag[:50]!r}")]
            )
    return tags.unique(wanted)
