"""Binding quotes: beyond Replicate's API."""

from marketplace.openapi.examples import PREDICTION_EXAMPLE, VERSION_ID
from marketplace.openapi.operation import Link, Operation
from marketplace.openapi.schemas import ref

_QUOTE = {
    "id": "q5h1v8q0z3m7k2c9x4n6b8w1r5",
    "model": "nina/echo",
    "version": VERSION_ID,
    "hardware": "gpu-t4",
    "price": {"currency": "usd", "per_second": "0.000225", "per_second_nanos": 225_000},
    "currency": "usd",
    "p50": "0.000258473",
    "p90": "0.0005625",
    "max": "0.00084375",
    "runs": 200,
    "created_at": "2026-01-02T03:04:05.678901Z",
    "expires_at": "2026-01-02T03:14:05.678901Z",
    "used_by": None,
    "urls": {"get": "https://models.example.test/v1/quotes/q5h1v8q0z3m7k2c9x4n6b8w1r5"},
}

OPERATIONS = (
    Operation(
        "post",
        "/quotes",
        "quotes.create",
        "Billing",
        "Get a binding quote",
        {"201": ref("BindingQuote")},
        "Extension: what a run of this input costs at most. It holds for ten minutes and one run: give its id as "
        "`quote` when you create the prediction, with the same input. `max` is a quarter more than the longest of the "
        "last 200 runs of this version on this hardware took, or half more than nine in ten took if that is more, and "
        "never more than the time limit. Where fewer than five are known nothing is promised: 409 with the code "
        "`unknown`.",
        body=ref("NewQuote"),
        body_example={"version": VERSION_ID, "input": PREDICTION_EXAMPLE["input"]},
        answer_example=_QUOTE,
        parameters=("Idempotency-Key",),
        headers=("Location",),
        links=(Link("quotes.get", {"quote_id": "$response.body#/id"}),),
        errors=("400", "404", "409", "422"),
    ),
    Operation(
        "get",
        "/quotes/{quote_id}",
        "quotes.get",
        "Billing",
        "Get a quote",
        {"200": ref("BindingQuote")},
        "Extension: kept for a day after it expires.",
        answer_example=_QUOTE,
        errors=("404",),
    ),
)
