"""What travels over the API about events, webhook deliveries and explanations. All of it is beyond Replicate."""

from typing import Any

from marketplace.openapi.schemas import LINK, TEXT, TIME, array, record, ref

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
}
