"""I26: money on the API is a decimal string, wherever the document has any. I27: what was estimated is charged."""

import re

from billing.models import UsageRecord
from marketplace.openapi import document
from tests.models_catalog.factories import VersionFactory
from tests.runner.factories import end, make_prediction

MONEY = re.compile(
    r"amount|total|gross|tax|refunded|available|balance|held|owed|limit|threshold|target|max|p50|p90|rate"
)
SECOND = 1_000_000  # µs


def numbers(part, path=""):
    """Members named like money that are numbers."""
    if isinstance(part, list):
        return [found for item in part for found in numbers(item, path)]
    if not isinstance(part, dict):
        return []
    found = []
    for name, member in part.get("properties", {}).items():
        is_number = member.get("type") in ("number", "integer")
        if MONEY.fullmatch(name) and is_number:
            found.append(f"{path}.{name}")
        found += numbers(member, f"{path}.{name}")
    return found + numbers(part.get("items"), path)


def test_inv_26_no_money_is_a_number():
    schemas = document()["components"]["schemas"]
    found = {name for schema in schemas for name in numbers(schemas[schema], schema)}
    assert found == {"Batch.total", "Quote.expected.seconds.p50", "Quote.expected.seconds.p90"}  # runs, and seconds


def test_inv_27_a_run_that_takes_what_was_estimated_costs_what_was_estimated(api, alice):
    version = VersionFactory.create(model__account=alice, model__name="echo")
    for _ in range(5):
        end(make_prediction(version), predict_us=1_234_567)
    wanted = {"version": version.pk, "input": {"text": "hi"}}
    estimate = api.post("/v1/billing/estimate", wanted).json()["expected"]["cost"]
    quote = api.post("/v1/quotes", wanted).json()
    run = end(make_prediction(version), predict_us=1_234_567)
    charged = api.get(f"/v1/predictions/{run.pk}").json()["billing"]["total"]
    assert estimate["p50"] == estimate["p90"] == quote["p50"] == quote["p90"] == charged
    assert UsageRecord.objects.get(subject=f"prediction/{run.pk}").quantity == 1_234_567
