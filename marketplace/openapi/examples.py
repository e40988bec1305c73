"""Documents that several operations show as examples."""

from typing import Any

_SITE = "https://models.example.test"
VERSION_ID = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"

PREDICTION_EXAMPLE: dict[str, Any] = {
    "id": "m9s346q3d25vt4f5v37e3s3e28",
    "model": "nina/echo",
    "version": VERSION_ID,
    "input": {"text": "hi there"},
    "output": "HI THERE",
    "logs": "shouting\n",
    "error": None,
    "status": "succeeded",
    "source": "api",
    "data_removed": False,
    "created_at": "2026-01-02T03:04:05.678901Z",
    "started_at": "2026-01-02T03:04:05.801240Z",
    "completed_at": "2026-01-02T03:04:06.950007Z",
    "metrics": {"predict_time": 1.148767, "total_time": 1.271106},
    "urls": {
        "get": f"{_SITE}/v1/predictions/m9s346q3d25vt4f5v37e3s3e28",
        "cancel": f"{_SITE}/v1/predictions/m9s346q3d25vt4f5v37e3s3e28/cancel",
        "web": f"{_SITE}/p/m9s346q3d25vt4f5v37e3s3e28",
    },
}
BILLED_PREDICTION: dict[str, Any] = {
    **PREDICTION_EXAMPLE,
    "billing": {
        "status": "final",
        "total": "0.000258473",
        "currency": "usd",
        "verdict": "none",
        "lines": [
            {
                "meter": "compute_time",
                "quantity": 1_148_767,
                "unit_price": {"rate": "0.000225", "per_units": 1_000_000},
                "gross": "0.000258473",
                "amount": "0.000258473",
            }
        ],
    },
}
NEW_PREDICTION: dict[str, Any] = {
    **PREDICTION_EXAMPLE,
    "output": None,
    "logs": "",
    "status": "starting",
    "started_at": None,
    "completed_at": None,
    "metrics": {},
}
CANCELED_PREDICTION: dict[str, Any] = {**PREDICTION_EXAMPLE, "output": None, "status": "canceled"}
VERSION_EXAMPLE: dict[str, Any] = {
    "id": VERSION_ID,
    "created_at": "2026-01-02T03:04:05.678901Z",
    "cog_version": "0.23.1",
    "openapi_schema": {
        "openapi": "3.0.2",
        "info": {"title": "Cog", "version": "0.1.0"},
        "paths": {},
        "components": {
            "schemas": {
                "Input": {
                    "type": "object",
                    "title": "Input",
                    "required": ["text"],
                    "properties": {"text": {"type": "string", "title": "Text", "x-order": 0}},
                },
                "Output": {"type": "string", "title": "Output"},
            }
        },
    },
}
MODEL_EXAMPLE: dict[str, Any] = {
    "url": f"{_SITE}/nina/echo",
    "owner": "nina",
    "name": "echo",
    "description": "Repeats text loudly",
    "visibility": "public",
    "is_official": False,
    "github_url": None,
    "paper_url": None,
    "license_url": None,
    "weights_url": None,
    "run_count": 42,
    "cover_image_url": None,
    "created_at": "2026-01-02T03:04:05.678901Z",
    "default_example": None,
    "latest_version": VERSION_EXAMPLE,
}
NEW_MODEL: dict[str, Any] = {**MODEL_EXAMPLE, "description": None, "run_count": 0, "latest_version": None}
COMPARISON_EXAMPLE: dict[str, Any] = {
    "from": "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d",
    "to": VERSION_ID,
    "inputs": {
        "added": [
            {
                "name": "shout",
                "from": None,
                "to": {"type": "boolean", "title": "Shout", "default": False},
                "is_breaking": False,
            }
        ],
        "removed": [],
        "changed": [
            {
                "name": "repeat",
                "from": {"type": "integer", "title": "Repeat", "default": 1, "maximum": 1000},
                "to": {"type": "integer", "title": "Repeat", "default": 1, "maximum": 100},
                "is_breaking": True,
            }
        ],
    },
    "output": None,
    "is_breaking": True,
    "breaking": ["input.repeat: the maximum is 100 now (before: 1000)."],
}
COLLECTION_EXAMPLE: dict[str, Any] = {"name": "Text tools", "slug": "text-tools", "description": "Small text models"}
FILE_EXAMPLE: dict[str, Any] = {
    "id": "nwj47tan9zt24mnpzx45hy43kw",
    "name": "hello.txt",
    "content_type": "text/plain",
    "size": 5,
    "etag": "5d41402abc4b2a76b9719d911017c592",
    "checksums": {
        "sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        "md5": "5d41402abc4b2a76b9719d911017c592",
    },
    "metadata": {"kind": "greeting"},
    "created_at": "2026-01-02T03:04:05.000000Z",
    "expires_at": "2026-01-03T03:04:05.000000Z",
    "urls": {"get": f"{_SITE}/v1/files/nwj47tan9zt24mnpzx45hy43kw"},
}
BUILD_EXAMPLE: dict[str, Any] = {
    "id": "17",
    "version": VERSION_ID,
    "status": "running",
    "error": None,
    "created_at": "2026-01-02T03:04:05.678901Z",
    "started_at": "2026-01-02T03:04:06.112233Z",
    "completed_at": None,
    "urls": {
        "get": f"{_SITE}/v1/models/nina/echo/versions/{VERSION_ID}/build",
        "web": f"{_SITE}/nina/echo/versions/{VERSION_ID}",
    },
}
STREAM_EXAMPLE = """\
id: 1767323045678:0
event: output
data: Once upon

id: 1767323045678:1
event: output
data:  a time

id: 1767323045678:2
event: done
data: {}

"""
QUOTE_EXAMPLE: dict[str, Any] = {
    "dry_run": True,
    "model": "nina/echo",
    "version": VERSION_ID,
    "hardware": "cpu",
    "billing_class": "shared",
    "price": {"currency": "usd", "per_second": "0.0001", "per_second_nanos": 100_000},
    "unit_prices": [],
    "expected": {
        "seconds": {"p50": 1.148767, "p90": 2.5},
        "cost": {
            "currency": "usd",
            "p50": "0.000114877",
            "p90": "0.00025",
            "p50_nanos": 114_877,
            "p90_nanos": 250_000,
        },
        "basis": {"runs": 200, "of": "version", "since": "2026-01-01T00:00:00.000000Z"},
    },
    "cold_start_seconds": 12.5,
}
DEPLOYMENT_EXAMPLE: dict[str, Any] = {
    "owner": "nina",
    "name": "shout-prod",
    "current_release": {
        "number": 3,
        "model": "nina/echo",
        "version": VERSION_ID,
        "created_at": "2026-01-02T03:04:05.000000Z",
        "created_by": {"type": "user", "username": "nina", "name": "Nina", "github_url": None, "avatar_url": None},
        "configuration": {"hardware": "cpu", "min_instances": 0, "max_instances": 3},
    },
    "rollout": {"status": "complete", "serving_release": 3, "error": None},
}


def page_example(*results: dict[str, Any]) -> dict[str, Any]:
    """A page of a list that has no other."""
    return {"next": None, "previous": None, "results": list(results)}
