"""What travels over the API about events, webhook deliveries and explanations. All of it is beyond Replicate."""

from typing import Any

from marketplace.openapi.schemas import COUNT, LINK, TEXT, TIME, array, nullable, page_of, record, ref

_DELIVERY: dict[str, Any] = {
    "id": {**TEXT, "description": "What receivers see as `webhook-id`"},
    "event": {"type": "string", "enum": ["start", "output", "logs", "completed"]},
    "prediction": {**TEXT, "description": "Id of the prediction, training or batch that it tells of"},
    "url": LINK,
    "state": {
        "type": "string",
        "enum": ["pending", "delivered", "failed", "superseded"],
        "description": "`superseded`: never sent, as newer news came first",
    },
    "attempt_count": COUNT,
    "last_status": nullable({"type": "integer", "description": "Of the last answer; null without one"}),
    "last_error": nullable(TEXT),
    "created_at": TIME,
    "delivered_at": nullable(TIME),
    "next_attempt_at": nullable(TIME),
    "urls": record({"get": LINK, "replay": LINK}),
}

EVENT_SCHEMAS: dict[str, Any] = {
    "Event": record(
        {
            "id": {**TEXT, "description": "Of this event, for ever"},
            "type": {**TEXT, "description": "`prediction.started`, `training.failed`, …"},
            "subject": {**TEXT, "description": "What it happened to: `prediction/<id>`"},
            "created_at": TIME,
            "data": {
                "type": "object",
                "additionalProperties": True,
                "description": "What explains it: cause, fault class, host, instance, number of the try. Never inputs, "
                "outputs or logs.",
            },
            "object": {**LINK, "description": "Where to read what it happened to"},
        }
    ),
    "EventPage": record(
        {
            "events": array(ref("Event")),
            "next_cursor": {**TEXT, "description": "Keep it, and give it as `cursor` next time"},
            "has_more": {"type": "boolean", "description": "There are more already"},
        }
    ),
    "WebhookDelivery": record(_DELIVERY),
    "WebhookDeliveryPage": page_of("WebhookDelivery"),
    "WebhookDeliveryWithAttempts": record(
        {
            **_DELIVERY,
            "body": {**TEXT, "description": "What is signed and sent"},
            "attempts": array(
                record(
                    {
                        "number": {"type": "integer", "minimum": 1},
                        "status": nullable({"type": "integer"}),
                        "error": nullable(TEXT),
                        "duration_ms": COUNT,
                        "ended_at": TIME,
                    }
                )
            ),
        }
    ),
    "WebhookSecretRotation": record({"key": TEXT, "previous_signs_until": TIME}),
    "WebhookReplay": record(
        {
            "created_after": {**TIME, "description": "Written then or later"},
            "created_before": {**TIME, "description": "Written earlier"},
            "event": {**_DELIVERY["event"], "default": "completed"},
            "only_failed": {"type": "boolean", "default": False, "description": "Only what was given up"},
        },
        optional="event only_failed",
    ),
    "WebhookReplayed": record(
        {
            "queued": {**COUNT, "description": "How many are sent again, at most 1000"},
            "has_more": {"type": "boolean", "description": "There are more: ask again from the last one's time"},
        }
    ),
    "Explanation": record(
        {
            "id": TEXT,
            "status": {**TEXT, "description": "Of the prediction or training, as it is stored"},
            "timeline": array(
                record(
                    {
                        "at": TIME,
                        "event": {**TEXT, "description": "`created`, `started`, `requeued`, `failed`, …"},
                        "text": {**TEXT, "description": "What happened, and why, in a sentence"},
                        "data": {"type": "object", "additionalProperties": True},
                    }
                )
            ),
            "waiting": nullable(
                record(
                    {
                        "code": {
                            **TEXT,
                            "description": "`ahead_of_you`, `booting`, `starting_soon`, `no_such_hardware`, "
                            "`no_capacity`",
                        },
                        "ahead": {**COUNT, "description": "Predictions that come before it"},
                        "text": TEXT,
                    },
                    description="Why it waits; null once it does not",
                )
            ),
            "hosts": array(
                record(
                    {
                        "name": TEXT,
                        "code": {
                            **TEXT,
                            "description": "`has_room`, `makes_room`, or why not: `lost`, `cordoned`, `too_few_gpus`, "
                            "`too_little_memory`, `too_few_cpus`, `full`",
                        },
                        "refused": {"type": "boolean"},
                        "text": TEXT,
                    }
                )
            ),
            "cost": nullable(
                record(
                    {
                        "text": {**TEXT, "description": "Why it costs this"},
                        "amount": {**TEXT, "description": "A decimal number"},
                        "currency": TEXT,
                        "seconds": {"type": "number", "description": "Charged"},
                        "price_per_second": {**TEXT, "description": "A decimal number"},
                    },
                    description="Null until it has ended",
                )
            ),
        }
    ),
}
