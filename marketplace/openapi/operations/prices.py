"""Prices, the rules of charging, and appeals: beyond Replicate's API."""

from typing import Any

from billing.price_documents import rules_document
from marketplace.openapi.operation import Link, Operation
from marketplace.openapi.schemas import ref


def _line(meter: str, rate: str, per_units: int, **selector: str) -> dict[str, Any]:
    return {
        "meter": meter,
        "rate": rate,
        "per_units": per_units,
        "selector": selector,
        "min_charge": "0.00",
        "currency": "usd",
        "effective_from": "2026-01-01T00:00:00Z",
    }


_PRICES = {
    "hardware": [{"sku": "gpu-t4", **_line("compute_time", "0.000225", 1_000_000)}],
    "models": [
        {
            "model": "nina/video",
            "lines": [
                _line("output_video_time", "0.09", 1_000),
                _line("output_video_time", "0.25", 1_000, resolution="720p"),
            ],
        }
    ],
}
_APPEAL = {
    "prediction": "m9s346q3d25vt4f5v37e3s3e28",
    "state": "open",
    "note": "The output is empty, and my input is as the model's readme says.",
    "answer": None,
    "created_at": "2026-01-02T03:14:05.678901Z",
    "decided_at": None,
}
_ANSWERED = {
    **_APPEAL,
    "state": "accepted",
    "answer": "The weights were damaged on one host.",
    "decided_at": "2026-01-02T09:30:00.000000Z",
}

OPERATIONS = (
    Operation(
        "get",
        "/prices",
        "prices.list",
        "Billing",
        "List all prices",
        {"200": ref("PriceList")},
        "Extension: what is in force for everybody. Hardware is charged by time: `compute_time` of runs, and of "
        "instances of your own the time that they are online. Models in `models` have prices of their own.",
        answer_example=_PRICES,
        needs_token=False,
    ),
    Operation(
        "get",
        "/billing/rules",
        "billing.rules",
        "Billing",
        "List the rules of charging",
        {"200": ref("BillingRules")},
        "Extension: what is charged for which end of a run, by the class that it was given when it was made. Rating "
        "goes by this table.",
        answer_example=rules_document(),
        needs_token=False,
    ),
    Operation(
        "post",
        "/predictions/{prediction_id}/appeal",
        "predictions.appeal",
        "Billing",
        "Appeal against a run's verdict",
        {"201": ref("Appeal")},
        "Extension: once for each prediction or training that has ended. A person looks at it, and refunds the run or "
        "says why not.",
        body=ref("NewAppeal"),
        body_example={"note": _APPEAL["note"]},
        answer_example=_APPEAL,
        links=(Link("predictions.appeal.get", {"prediction_id": "$response.body#/prediction"}),),
        errors=("400", "404", "409"),
    ),
    Operation(
        "get",
        "/predictions/{prediction_id}/appeal",
        "predictions.appeal.get",
        "Billing",
        "Get a run's appeal",
        {"200": ref("Appeal")},
        "Extension: with the answer, once there is one.",
        answer_example=_ANSWERED,
        errors=("404",),
    ),
)
