"""The event log, webhook deliveries and explanations: beyond Replicate's API."""

from marketplace.openapi.operation import Operation
from marketplace.openapi.schemas import ref

_EVENT_PAGE = {
    "events": [
        {
            "id": "evt_81223",
            "type": "prediction.started",
            "subject": "prediction/m9s346q3d25vt4f5v37e3s3e28",
            "created_at": "2026-01-02T03:04:05.801240Z",
            "data": {"instance": "b2n6xk8dpvs4m0r3jyqe1w7cza", "host": "gpu-1", "try": 1},
            "object": "https://models.example.test/v1/predictions/m9s346q3d25vt4f5v37e3s3e28",
        }
    ],
    "next_cursor": "NDAyMTcuODEyMjM",
    "has_more": False,
}

OPERATIONS = (
    Operation(
        "get",
        "/events",
        "events.list",
        "Events",
        "Pull the event log",
        {"200": ref("EventPage")},
        "Extension: every move of the account's predictions, trainings, batches and deployments, oldest first. Keep "
        "`next_cursor` and give it as `cursor` next time: nothing is missed and nothing comes twice. Without a cursor "
        "it begins with the oldest event that is kept (30 days, unless the operator says otherwise). With `wait=n` the "
        "answer is held up to n seconds while there is nothing new.",
        answer_example=_EVENT_PAGE,
        parameters=("event_cursor", "type", "subject", "limit", "wait"),
        errors=("400", "404"),
    ),
)
