"""A batch ends with its last prediction, in the same transaction, once.

Who ends predictions of a batch takes its row's lock and then looks whether any is unfinished. Of two who end the last
two at the same time the second gets the lock when the first has committed, and sees that nothing is left; a crash
takes the end of the prediction back together with that of the batch. `sweep` is for what no verb of ours ended.
"""

import datetime
from collections.abc import Collection, Iterable

from django.db import transaction
from django.utils import timezone

from runner import event_log, webhooks
from runner.batch_documents import batch_document, counts_of
from runner.event_log import NewEvent
from runner.models import Batch, Prediction
from runner.states import TERMINAL

_SWEPT_AFTER = datetime.timedelta(minutes=1)


def close_batches_of(ended: Iterable[Prediction]) -> None:
    """Close the batches whose last predictions these are, within the transaction that ended them."""
    if batch_ids := {row.batch_id for row in ended if row.batch_id}:
        _close_finished(batch_ids)


def sweep() -> int:
    """Close batches of which nothing is unfinished though nobody closed them; returns how many."""
    waiting = Batch.objects.filter(completed_at=None, created_at__lt=timezone.now() - _SWEPT_AFTER)
    closed = 0
    for batch_id in list(waiting.values_list("pk", flat=True)):
        if not _is_unfinished(batch_id):
            with transaction.atomic():
                closed += _close_finished([batch_id])
    return closed


def _close_finished(batch_ids: Collection[str]) -> int:
    # In one order, so that two who end predictions of the same batches wait for each other and not in a circle.
    open_ones = Batch.objects.filter(pk__in=batch_ids, completed_at=None).order_by("pk")
    finished = [batch for batch in open_ones.select_for_update(no_key=True) if not _is_unfinished(batch.pk)]
    for batch in finished:
        _close(batch)
    return len(finished)


def _is_unfinished(batch_id: str) -> bool:
    # Sorted: the database uses the index of unfinished ones only for the very condition that it was made with.
    return Prediction.objects.filter(batch=batch_id).exclude(status__in=sorted(TERMINAL)).exists()


def _close(batch: Batch) -> None:
    batch.completed_at = timezone.now()
    batch.save(update_fields=["completed_at"])
    counts = counts_of([batch.pk])[batch.pk]
    event_log.record_many([NewEvent(batch.account_id, "batch.completed", f"batch/{batch.pk}", {"counts": counts})])
    if batch.webhook:
        webhooks.enqueue(
            account_id=batch.account_id,
            subject_id=batch.pk,
            event="completed",
            url=batch.webhook,
            document=batch_document(batch, counts),
        )
