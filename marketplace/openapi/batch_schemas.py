"""What travels over the API about batches. All of it is beyond Replicate."""

from typing import Any

from marketplace.openapi.schemas import COUNT, DRY_RUN, LINK, TAGS, TEXT, TIME, array, nullable, page_of, record
from runner.batches import MOST_INPUTS
from runner.states import Status

_VERSION = {**TEXT, "description": "A version id, `owner/name:id`, or `owner/name` of an official model"}

BATCH_SCHEMAS: dict[str, Any] = {
    "Batch": record(
        {
            "id": TEXT,
            "model": TEXT,
            "version": TEXT,
            "status": {"type": "string", "enum": ["processing", "completed"]},
            "total": {**COUNT, "description": "How many predictions it has"},
            "counts": record(dict.fromkeys(Status.values, COUNT), description="How many of them are in which state"),
            "created_at": TIME,
            "completed_at": nullable(TIME),
            "urls": record({"get": LINK, "cancel": LINK, "predictions": LINK}),
            "webhook": LINK,
            "tags": TAGS,
        },
        optional="webhook tags",
    ),
    "BatchPage": page_of("Batch"),
    "NewBatch": record(
        {
            "version": _VERSION,
            "inputs": {
                **array({"type": "object", "additionalProperties": True}),
                "minItems": 1,
                "maxItems": MOST_INPUTS,
                "description": "One prediction is made of each; all of them are checked first.",
            },
            "webhook": nullable(
                {**LINK, "description": "Where to send the batch, once, when the last prediction has ended"}
            ),
            "tags": nullable({**TAGS, "description": "Given to each prediction"}),
            "dry_run": nullable(DRY_RUN),
        },
        optional="webhook tags dry_run",
        additionalProperties=False,
    ),
}
