"""How long what a prediction read and made is kept, and its removal: input, output, logs, output files.

Ids, states, times, metrics and `error` stay. Trainings keep everything, so does what an example shows.
Source: replicate-api.md 3.6.
"""

import datetime
from collections.abc import Sequence

import structlog
from django.conf import settings
from django.db import connection, transaction

from marketplace.lib.endpoints import encode
from runner import files
from runner.documents import prediction_document
from runner.models import Prediction, WebhookDelivery

log = structlog.get_logger(__name__)

_AT_ONCE = 200  # predictions of one transaction
_TOLD_SECONDS = 600  # for the tries of a webhook's first minute, and some patience


def remove_due(*, now: datetime.datetime, at_most: int = _AT_ONCE) -> int:
    """Remove the data of some predictions whose time is over; returns how many, 0 when none is left.

    One transaction removes them and expires their files, so a crash leaves all or nothing of a prediction; contents
    of expired files are `files.remove_expired`'s, which finds them again until they are gone.
    """
    due = _due(now, at_most)
    if due:
        remove_data(due, now=now)
    return len(due)


def remove_data(prediction_ids: Sequence[str], *, now: datetime.datetime) -> None:
    """Remove the data of ended predictions, in one transaction. Those that have none any more are left as they are."""
    with transaction.atomic():
        kept = Prediction.objects.filter(pk__in=prediction_ids, data_removed=False)
        locked = list(kept.select_for_update(of=["self"]).order_by("pk").values_list("pk", flat=True))
        kept.filter(pk__in=locked).update(data_removed=True, input={}, output=None, logs="", sealed_secrets=None)
        expired = files.expire_outputs(locked, now=now)
        _empty_delivered(locked)
    log.info("prediction_data_removed", predictions=len(locked), files=expired)


def _due(now: datetime.datetime, at_most: int) -> list[str]:
    """Ids of predictions whose data's time is over, account by account: some keep theirs for years.

    Not those that an example shows, and not at once those of which a webhook is still to be delivered: it has them in
    its body. Who is away for longer than that is told of the prediction without its data.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT due.id
              FROM accounts_account AS a
             CROSS JOIN LATERAL (VALUES
                   ('api', %(now)s - interval '1 second' * COALESCE(a.api_data_kept_seconds, %(api)s)),
                   ('web', %(now)s - interval '1 second' * %(web)s)) AS kept(source, until)
             CROSS JOIN LATERAL (
                   SELECT p.id FROM runner_prediction AS p
                    WHERE p.account_id = a.id AND p.source = kept.source AND p.completed_at <= kept.until
                      AND NOT p.data_removed AND p.kind = 'prediction' AND p.completed_at IS NOT NULL
                      AND NOT EXISTS (SELECT FROM models_catalog_example AS e WHERE e.prediction_id = p.id)
                      AND NOT EXISTS (SELECT FROM runner_webhookdelivery AS d
                                       WHERE d.prediction_id = p.id AND d.next_attempt_at IS NOT NULL
                                         AND p.completed_at > %(now)s - interval '1 second' * %(told)s)
                    ORDER BY p.completed_at LIMIT %(at_most)s) AS due
             LIMIT %(at_most)s
            """,
            {
                "now": now,
                "api": settings.API_DATA_KEPT_SECONDS,
                "web": settings.WEB_DATA_KEPT_SECONDS,
                "told": _TOLD_SECONDS,
                "at_most": at_most,
            },
        )
        return [prediction_id for (prediction_id,) in cursor.fetchall()]


def _empty_delivered(prediction_ids: list[str]) -> None:
    """What was sent holds the data too: its record keeps the prediction as it is now, to be sent again if asked."""
    told = WebhookDelivery.objects.filter(prediction_id__in=prediction_ids)
    for prediction in Prediction.objects.filter(pk__in=told.values("prediction_id")):
        told.filter(prediction_id=prediction.pk).update(body=encode(prediction_document(prediction)))
