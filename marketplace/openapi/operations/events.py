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

_DELIVERY_URL = "https://models.example.test/v1/webhooks/deliveries/msg_5h1v8q0z3m7k2c9x4n6b8w1r5t"
_DELIVERY = {
    "id": "msg_5h1v8q0z3m7k2c9x4n6b8w1r5t",
    "event": "completed",
    "prediction": "m9s346q3d25vt4f5v37e3s3e28",
    "url": "https://hooks.example.test/done?shop=7",
    "state": "pending",
    "attempt_count": 1,
    "last_status": 503,
    "last_error": "answered 503",
    "created_at": "2026-01-02T03:04:06.950007Z",
    "delivered_at": None,
    "next_attempt_at": "2026-01-02T03:04:08.101931Z",
    "urls": {"get": _DELIVERY_URL, "replay": f"{_DELIVERY_URL}/replay"},
}
_ATTEMPT = {
    "number": 1,
    "status": 503,
    "error": "answered 503",
    "duration_ms": 112,
    "ended_at": "2026-01-02T03:04:07.101931Z",
}
_DELIVERY_WITH_ATTEMPTS = {
    **_DELIVERY,
    "body": '{"id":"m9s346q3d25vt4f5v37e3s3e28","status":"succeeded"}',
    "attempts": [_ATTEMPT],
}

_EXPLANATION = {
    "id": "m9s346q3d25vt4f5v37e3s3e28",
    "status": "succeeded",
    "timeline": [
        {
            "at": "2026-01-02T03:04:05.678901Z",
            "event": "created",
            "text": "Accepted.",
            "data": {"model": "nina/echo", "source": "api"},
        },
        {
            "at": "2026-01-02T03:04:05.801240Z",
            "event": "started",
            "text": "Started on host gpu-1.",
            "data": {"instance": "b2n6xk8dpvs4m0r3jyqe1w7cza", "host": "gpu-1", "try": 1},
        },
        {"at": "2026-01-02T03:04:06.950007Z", "event": "succeeded", "text": "Succeeded.", "data": {}},
    ],
    "waiting": None,
    "hosts": [],
    "cost": {
        "text": "Charged for 1.148767 s of gpu-small.",
        "amount": "0.000258473",
        "currency": "usd",
        "seconds": 1.148767,
        "price_per_second": "0.000225",
    },
}
_EXPLAINED = (
    "Extension: every move with its time and cause; while it waits also why, and what each host can do for it; at the "
    "end what it cost and why."
)

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
    Operation(
        "get",
        "/webhooks/deliveries",
        "webhooks.deliveries.list",
        "Webhooks",
        "List webhook deliveries",
        {"200": ref("WebhookDeliveryPage")},
        "Extension: what was and is to be sent to the account's webhooks, newest first, 100 a page. Kept for 30 days "
        "unless the operator says otherwise.",
        answer_example={"next": None, "previous": None, "results": [_DELIVERY]},
        parameters=("prediction", "delivery_state", "cursor"),
        errors=("400", "404"),
    ),
    Operation(
        "get",
        "/webhooks/deliveries/{delivery_id}",
        "webhooks.deliveries.get",
        "Webhooks",
        "Get a webhook delivery",
        {"200": ref("WebhookDeliveryWithAttempts")},
        "Extension: one message with its body and what came of each try. A terminal message is tried again after 1, 2, "
        "4, 8, 16 and 29 seconds, then after 5 and 15 minutes, 1, 3, 6 and 14 hours; every other is tried once. A body "
        "of more than 1 MiB is sent with `input`, `output` and `logs` empty and `truncated: true`.",
        answer_example=_DELIVERY_WITH_ATTEMPTS,
        errors=("404",),
    ),
    Operation(
        "post",
        "/webhooks/deliveries/{delivery_id}/replay",
        "webhooks.deliveries.replay",
        "Webhooks",
        "Send a webhook again",
        {"202": ref("WebhookDeliveryWithAttempts")},
        "Extension: sends the message again under the same `webhook-id`, so that a receiver which had it can tell. A "
        "terminal one is retried as at first; one that waits for its next try is tried now.",
        answer_example={**_DELIVERY_WITH_ATTEMPTS, "next_attempt_at": "2026-01-02T09:00:00.000000Z"},
        errors=("404", "409"),
    ),
    Operation(
        "post",
        "/webhooks/replay",
        "webhooks.replay",
        "Webhooks",
        "Send webhooks of a span of time again",
        {"202": ref("WebhookReplayed")},
        "Extension: sends again what was delivered or given up, oldest first, at most 1000 messages. For a receiver "
        "that was away: `only_failed: true`.",
        body=ref("WebhookReplay"),
        body_example={
            "created_after": "2026-01-02T00:00:00Z",
            "created_before": "2026-01-02T06:00:00Z",
            "only_failed": True,
        },
        answer_example={"queued": 42, "has_more": False},
        errors=("400",),
    ),
    Operation(
        "get",
        "/predictions/{prediction_id}/explain",
        "predictions.explain",
        "Predictions",
        "Explain a prediction",
        {"200": ref("Explanation")},
        _EXPLAINED,
        answer_example=_EXPLANATION,
        errors=("404",),
    ),
    Operation(
        "get",
        "/trainings/{training_id}/explain",
        "trainings.explain",
        "Trainings",
        "Explain a training",
        {"200": ref("Explanation")},
        _EXPLAINED,
        answer_example=_EXPLANATION,
        errors=("404",),
    ),
)
