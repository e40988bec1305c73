"""The batch as the API, its webhook and its page show it. An extension of the wire contract."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db.models import Count

from marketplace.lib.timestamps import timestamp
from runner.models import Batch, Prediction
from runner.states import Status

Counts = dict[str, int]  # predictions by state, every state named


def counts_of(batch_ids: Iterable[str]) -> dict[str, Counts]:
    """How many predictions of each batch are in which state."""
    counts: dict[str, Counts] = defaultdict(lambda: dict.fromkeys(Status.values, 0))
    rows = Prediction.objects.filter(batch__in=list(batch_ids)).order_by().values_list("batch_id", "status")
    for batch_id, status, number in rows.annotate(Count("pk")):
        is_hidden = status == Status.ABORTED and settings.REPORT_ABORTED_AS_CANCELED
        counts[batch_id][Status.CANCELED if is_hidden else status] += number
    return counts


def batch_document(batch: Batch, counts: Counts) -> dict[str, Any]:
    """Needs no other row than the batch's own."""
    address = f"{settings.PUBLIC_URL}/v1/batches/{batch.pk}"
    document: dict[str, Any] = {
        "id": batch.pk,
        "model": batch.model_name,
        "version": batch.version_label,
        "status": "completed" if batch.completed_at else "processing",
        "total": batch.total,
        "counts": counts,
        "created_at": timestamp(batch.created_at),
        "completed_at": timestamp(batch.completed_at) if batch.completed_at else None,
        "urls": {"get": address, "cancel": f"{address}/cancel", "predictions": f"{address}/predictions"},
    }
    if batch.webhook:
        document["webhook"] = batch.webhook
    if batch.tags:
        document["tags"] = batch.tags
    return document


def documents_of(batches: Iterable[Batch]) -> list[dict[str, Any]]:
    """Several at once, in order."""
    rows = list(batches)
    counts = counts_of(batch.pk for batch in rows)
    return [batch_document(batch, counts[batch.pk]) for batch in rows]
