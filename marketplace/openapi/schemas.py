"""What travels over the API: the named parts of the OpenAPI document.  Source: replicate-api.md 1.8, 2."""

from typing import Any

TIME = {"type": "string", "format": "date-time", "example": "2026-01-02T03:04:05.678901Z"}
TEXT = {"type": "string"}
LINK = {"type": "string", "format": "uri"}
WEB_ADDRESS = {**LINK, "pattern": r"^https?://[^/\s]+"}
COUNT = {"type": "integer", "minimum": 0}


def nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, or null."""
    return {**schema, "nullable": True}


def ref(name: str) -> dict[str, Any]:
    """A part by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def maybe(name: str) -> dict[str, Any]:
    """A part by its name, or null."""
    return {"allOf": [ref(name)], "nullable": True}


def array(items: dict[str, Any]) -> dict[str, Any]:
    """A list."""
    return {"type": "array", "items": items}


def record(properties: dict[str, Any], *, optional: str = "", **more: Any) -> dict[str, Any]:
    """An object whose members are all there but those named in `optional` (by blanks)."""
    required = [name for name in properties if name not in optional.split()]
    return {"type": "object", "properties": properties, **({"required": required} if required else {}), **more}


def page_of(name: str) -> dict[str, Any]:
    """A page of a list."""
    return record({"next": nullable(LINK), "previous": nullable(LINK), "results": array(ref(name))})


_VERSION_ID = {
    "type": "string",
    "description": "64 hexadecimal characters; `hidden` for an official model called by name",
}
_EVENTS = array({"type": "string", "enum": ["start", "output", "logs", "completed"]})
_WEBHOOK = {
    **WEB_ADDRESS,
    "description": "Where to send the prediction when it changes. Deliveries are signed.",
}
TAGS = {**array({**TEXT, "minLength": 1, "maxLength": 64}), "maxItems": 10}
DRY_RUN = {
    "type": "boolean",
    "description": "Extension: check everything, create nothing, and answer 200 with what it may take and cost.",
}
_CREATION: dict[str, dict[str, Any]] = {
    "input": {"type": "object", "additionalProperties": True, "description": "What the model takes; see its schema."},
    "webhook": _WEBHOOK,
    "webhook_events_filter": {
        **_EVENTS,
        "description": "Which changes to tell of; without it `output` and `completed`.",
    },
    "stream": {"type": "boolean", "deprecated": True, "description": "Has no effect: models that can, stream."},
    "tags": {**TAGS, "description": "Extension: short texts to find it again by; see the list's `tag`."},
    "dry_run": DRY_RUN,
    "quote": {
        **TEXT,
        "description": "Extension: id of a binding quote for this version, hardware and input: it costs at most that.",
    },
    "webhook_completed": {**LINK, "deprecated": True, "description": "As `webhook`, told of the end only."},
}
_OPTIONAL = " ".join(name for name in _CREATION if name != "input")
_CREATION |= {name: nullable(_CREATION[name]) for name in _OPTIONAL.split()}  # null is as good as none
_WEB_LINK = nullable({**WEB_ADDRESS, "maxLength": 500})
_DESCRIPTION = nullable({**TEXT, "maxLength": 1000})

SCHEMAS: dict[str, Any] = {
    "Problem": record(
        {
            "detail": {**TEXT, "description": "What is wrong, in words"},
            "status": {"type": "integer"},
            "title": TEXT,
            "invalid_fields": array(record({"type": TEXT, "field": TEXT, "description": TEXT})),
            "errors": array(record({"pointer": TEXT, "detail": TEXT}, optional="pointer")),
            "code": {**TEXT, "description": "Extension: the kind of it, for programs, where there are several"},
            "required": {**TEXT, "description": "Extension, of 402: what the work needs, a decimal number"},
            "available": {**TEXT, "description": "Extension, of 402: what credit or limit leaves"},
            "currency": TEXT,
            "limit": {
                **nullable(record({"scope": TEXT, "key": TEXT, "period": TEXT, "value": TEXT, "used": TEXT})),
                "description": "Extension, of 402: the spend limit that refused; null where it was credit",
            },
            "resets_at": nullable({**TIME, "description": "Extension, of 402: when the limit starts anew"}),
            "resolution": record(
                {"action": TEXT, "url": TEXT}, description="Extension, of 402: what lifts it, and where"
            ),
        },
        optional="title invalid_fields errors code required available currency limit resets_at resolution",
        description="Every error has this form. `invalid_fields` say what of an input is wrong, `errors` of the rest.",
    ),
    "Account": record(
        {
            "type": {"type": "string", "enum": ["user", "organization"]},
            "username": TEXT,
            "name": TEXT,
            "github_url": nullable(LINK),
            "avatar_url": nullable(LINK),
        }
    ),
    "AccountSettings": record(
        {
            "api_data_kept_seconds": nullable({"type": "integer", "description": "null: as the installation says"}),
            "effective_api_data_kept_seconds": {"type": "integer"},
        }
    ),
    "AccountSettingsChanges": record(
        {"api_data_kept_seconds": nullable({"type": "integer", "minimum": 60, "maximum": 315_360_000})},
        optional="api_data_kept_seconds",
        additionalProperties=False,
    ),
    "Prediction": record(
        {
            "id": TEXT,
            "model": {**TEXT, "example": "nina/echo"},
            "version": _VERSION_ID,
            "input": {"type": "object", "additionalProperties": True},
            "output": {
                "nullable": True,
                "description": "Any JSON; for iterators a list that grows while the model works",
            },
            "logs": TEXT,
            "error": nullable(TEXT),
            "status": {
                "type": "string",
                "enum": ["starting", "processing", "succeeded", "failed", "canceled", "aborted"],
            },
            "source": {"type": "string", "enum": ["api", "web"]},
            "data_removed": {"type": "boolean"},
            "created_at": TIME,
            "started_at": nullable(TIME),
            "completed_at": nullable(TIME),
            "metrics": {"type": "object", "additionalProperties": True},
            "urls": record({"get": LINK, "cancel": LINK, "web": LINK, "stream": LINK}, optional="stream"),
            "deployment": {**TEXT, "description": "`owner/name`, of one that was made through a deployment"},
            "deadline": TIME,
            "webhook": LINK,
            "webhook_events_filter": _EVENTS,
            "tags": {**TAGS, "description": "Extension: those it was given"},
            "batch": {**TEXT, "description": "Extension: the id of the batch it is part of"},
            "queue": ref("Queue"),
            "rerun_of": {**TEXT, "description": "Extension: the id of the prediction it repeats"},
            "billing": ref("RunBill"),
        },
        optional="deployment deadline webhook webhook_events_filter tags batch queue rerun_of billing",
    ),
    "Training": record(
        {
            "id": TEXT,
            "model": {
                **TEXT,
                "description": "Whose code trains, not where the result goes",
                "example": "nina/tone-trainer",
            },
            "version": {**TEXT, "description": "Of that model"},
            "input": {"type": "object", "additionalProperties": True},
            "output": nullable(
                record(
                    {
                        "version": {**TEXT, "description": "The version it made, `owner/name:id`, for its owner alone"},
                        "weights": {**LINK, "description": "What was learned; absent where the model gave nothing"},
                    },
                    optional="weights",
                    additionalProperties=True,
                    description="Null until it succeeded. Extension: what the model gives beside `weights` is kept.",
                )
            ),
            "logs": TEXT,
            "error": nullable(TEXT),
            "status": {"type": "string", "enum": ["starting", "processing", "succeeded", "failed", "canceled"]},
            "source": {"type": "string", "enum": ["api", "web"]},
            "created_at": TIME,
            "started_at": nullable(TIME),
            "completed_at": nullable(TIME),
            "metrics": {"type": "object", "additionalProperties": True},
            "urls": record({"get": LINK, "cancel": LINK, "web": LINK}),
            "webhook": LINK,
            "webhook_events_filter": _EVENTS,
            "billing": ref("RunBill"),
        },
        optional="webhook webhook_events_filter billing",
    ),
    "NewTraining": record(
        {
            "destination": {**TEXT, "description": "`owner/name` of a model of yours: it gets the new version"},
            "input": {
                "type": "object",
                "additionalProperties": True,
                "description": "What the training takes: `TrainingInput` of the version's schema",
            },
            "webhook": _WEBHOOK,
            "webhook_events_filter": _CREATION["webhook_events_filter"],
        },
        optional="webhook webhook_events_filter",
    ),
    "TrainingPage": page_of("Training"),
    "Queue": record(
        {
            "place": {"type": "integer", "minimum": 1},
            "reason": {
                "type": "string",
                "enum": ["ahead_of_you", "booting", "starting_soon", "no_such_hardware", "no_capacity"],
            },
            "message": TEXT,
            "expected_start_at": nullable({**TIME, "description": "An estimate; null where nothing can be said"}),
        },
        description="Extension: only in the answer to reading one prediction that waits: its place among those for the "
        "same instances in the order in which they are taken, which is fair between accounts, and why it waits.",
    ),
    "Costs": record(
        {
            "currency": {**TEXT, "example": "usd"},
            "p50": {**TEXT, "description": "In units of the currency"},
            "p90": TEXT,
            "p50_nanos": {**COUNT, "description": "In billionths of it"},
            "p90_nanos": COUNT,
        }
    ),
    "Quote": record(
        {
            "dry_run": {"type": "boolean", "enum": [True]},
            "model": TEXT,
            "version": TEXT,
            "hardware": {**TEXT, "description": "A SKU of `GET /hardware`"},
            "deployment": TEXT,
            "billing_class": {**TEXT, "description": "By what it is charged: see `GET /billing/rules`"},
            "price": record({"currency": TEXT, "per_second": TEXT, "per_second_nanos": COUNT}),
            "unit_prices": array(ref("PriceLine")),
            "expected": {
                **record(
                    {
                        "seconds": record({"p50": {"type": "number"}, "p90": {"type": "number"}}),
                        "cost": ref("Costs"),
                        "basis": record(
                            {"runs": COUNT, "of": {"type": "string", "enum": ["version", "model"]}, "since": TIME},
                            description="The runs it is taken from",
                        ),
                    }
                ),
                "nullable": True,
                "description": "What half, and nine in ten, of the runs like it did not exceed; null where too few are "
                "known, and `reason` says so",
            },
            "reason": TEXT,
            "cold_start_seconds": {
                "type": "number",
                "description": "What it waits longer, as no instance is ready now",
            },
            "predictions": {**COUNT, "description": "Of a batch: how many"},
            "expected_total_cost": ref("Costs"),
        },
        optional="deployment reason cold_start_seconds predictions expected_total_cost",
        description="Extension: what a call with `dry_run` is answered.",
    ),
    "Rerun": record(
        {
            "input": {
                "type": "object",
                "additionalProperties": True,
                "description": "What differs; null removes a member. Secrets must be given again.",
            },
            "version": {**TEXT, "description": "Another version to run; without it the same"},
            **{name: member for name, member in _CREATION.items() if name != "input"},
        },
        optional=f"input version {_OPTIONAL}",
        additionalProperties=False,
        description="Extension: how a prediction is run again.",
    ),
    "PredictionChanges": record({"tags": TAGS}, optional="tags", additionalProperties=False),
    "NewPrediction": record(
        {
            "version": {
                **TEXT,
                "description": "A version id, `owner/name:id`, or `owner/name` of an official model",
            },
            **_CREATION,
        },
        optional=_OPTIONAL,
        additionalProperties=False,
    ),
    "NewOfficialPrediction": record(_CREATION, optional=_OPTIONAL, additionalProperties=False),
    "PredictionPage": page_of("Prediction"),
    "Version": record(
        {
            "id": TEXT,
            "created_at": TIME,
            "cog_version": TEXT,
            "openapi_schema": {"type": "object", "additionalProperties": True},
        }
    ),
    "VersionPage": page_of("Version"),
    "SubmittedVersion": record(
        {
            "id": TEXT,
            "status": {"type": "string", "enum": ["submitted", "ready", "failed"]},
            "created_at": TIME,
            "build": maybe("Build"),
        }
    ),
    "Build": record(
        {
            "id": TEXT,
            "version": TEXT,
            "status": {"type": "string", "enum": ["queued", "running", "succeeded", "failed"]},
            "error": nullable(TEXT),
            "log": TEXT,
        },
        optional="log",
        additionalProperties=True,
    ),
    "Model": record(
        {
            "url": LINK,
            "owner": TEXT,
            "name": TEXT,
            "description": nullable(TEXT),
            "visibility": {"type": "string", "enum": ["public", "private"]},
            "is_official": {"type": "boolean"},
            "github_url": nullable(LINK),
            "paper_url": nullable(LINK),
            "license_url": nullable(LINK),
            "weights_url": nullable(LINK),
            "run_count": COUNT,
            "cover_image_url": nullable(LINK),
            "created_at": TIME,
            "default_example": maybe("Prediction"),
            "latest_version": maybe("Version"),
            "pricing": ref("Pricing"),
        },
        optional="pricing",
    ),
    "ModelPage": page_of("Model"),
    "NewModel": record(
        {
            "owner": {**TEXT, "minLength": 1, "description": "The account behind the token"},
            "name": {**TEXT, "maxLength": 100, "pattern": r"^[a-z0-9]+([._-][a-z0-9]+)*$"},
            "visibility": {"type": "string", "enum": ["public", "private"]},
            "hardware": {**TEXT, "minLength": 1, "description": "A SKU of `GET /hardware`"},
            "description": _DESCRIPTION,
            "github_url": _WEB_LINK,
            "paper_url": _WEB_LINK,
            "license_url": _WEB_LINK,
            "cover_image_url": _WEB_LINK,
        },
        optional="description github_url paper_url license_url cover_image_url",
    ),
    "ModelChanges": record(
        {
            "description": _DESCRIPTION,
            "readme": nullable({**TEXT, "maxLength": 200_000}),
            "github_url": _WEB_LINK,
            "paper_url": _WEB_LINK,
            "weights_url": _WEB_LINK,
            "license_url": _WEB_LINK,
        },
        optional="description readme github_url paper_url weights_url license_url",
    ),
    "Collection": record({"name": TEXT, "slug": TEXT, "description": TEXT}),
    "CollectionPage": page_of("Collection"),
    "CollectionWithModels": record(
        {
            "name": TEXT,
            "slug": TEXT,
            "description": TEXT,
            "full_description": nullable(TEXT),
            "models": array(ref("Model")),
        }
    ),
    "Hardware": record({"sku": TEXT, "name": TEXT}),
    "File": record(
        {
            "id": TEXT,
            "name": TEXT,
            "content_type": TEXT,
            "size": COUNT,
            "etag": TEXT,
            "checksums": record({"sha256": TEXT, "md5": TEXT}),
            "metadata": {"type": "object", "additionalProperties": True},
            "created_at": TIME,
            "expires_at": TIME,
            "urls": record({"get": LINK}),
        }
    ),
    "FilePage": page_of("File"),
    "NewFile": record(
        {
            "content": {"type": "string", "format": "binary"},
            "filename": {**TEXT, "description": "Wins over the part's own file name"},
            "type": {**TEXT, "description": "Media type; wins over the part's own"},
            "metadata": {
                "type": "object",
                "additionalProperties": True,
                "description": "As JSON, in a field or a part, or in fields named `metadata[key]`",
            },
        },
        optional="filename type metadata",
    ),
    "WebhookSecret": record({"key": {**TEXT, "example": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"}}),
}
