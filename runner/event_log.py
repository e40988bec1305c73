"""Write the event log: what happened, in the transaction in which it did.

Moves of many predictions at once are logged by `lifecycle`'s own statements; all else goes through `record_many`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.db import connection

from runner.models import Prediction

_CREATED_WITH = ("deployment_name", "batch_id", "rerun_of")  # told where they are set


@dataclass(frozen=True, slots=True)
class NewEvent:
    """type: `prediction.started`. subject: `prediction/<id>`. data: cause, host, instance and what else explains it.

    Never inputs, outputs, logs or a model's own words: the log is kept longer than they are.
    """

    account_id: int
    type: str
    subject: str
    data: dict[str, Any] = field(default_factory=dict)


def record_many(events: Sequence[NewEvent]) -> None:
    """Append, in order, within the caller's transaction: one statement."""
    if not events:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO runner_loggedevent (account_id, type, subject, data)
            SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]::jsonb[])
            """,
            [
                [event.account_id for event in events],
                [event.type for event in events],
                [event.subject for event in events],
                [orjson.dumps(event.data).decode() for event in events],
            ],
        )


def move_of(prediction: Prediction, move: str, **data: Any) -> NewEvent:
    """Something that happened to a prediction or training. move: `requeued`, for example."""
    kind = str(prediction.kind)
    return NewEvent(prediction.account_id, f"{kind}.{move}", f"{kind}/{prediction.pk}", data)


def created(prediction: Prediction) -> NewEvent:
    """A prediction or training was accepted."""
    more = {name.removesuffix("_name").removesuffix("_id"): getattr(prediction, name) for name in _CREATED_WITH}
    told = {name: value for name, value in more.items() if value}
    data = {"model": prediction.model_name, "version": prediction.version_label, "source": str(prediction.source)}
    return move_of(prediction, "created", **data, **told)
