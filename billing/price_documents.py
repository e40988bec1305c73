"""Prices and the rules of charging as data: for the API, and for the page that says them in words."""

from collections.abc import Sequence
from typing import Any

from billing.classes import BillingClass
from billing.models import Price
from billing.money import as_decimal_string
from billing.outcomes import (
    BEAT_GAP_SECONDS,
    RULES,
    SEGMENT_SECONDS,
    SETUP_FAILURES_CHARGED,
    SETUP_RULES,
    Rule,
    verdict_of,
)
from billing.prices import Book, Resolved
from marketplace.lib.timestamps import timestamp


def line_document(price: Price) -> dict[str, Any]:
    """One price: `rate` for `per_units` base units of its meter, for inputs with the members of `selector`."""
    return {
        "meter": str(price.meter),
        "rate": as_decimal_string(price.rate_nanos),
        "per_units": price.per_units,
        "selector": price.selector,
        "min_charge": as_decimal_string(price.min_charge_nanos),
        "currency": price.currency,
        "effective_from": timestamp(price.effective_from),
    }


def price_list_document(book: Book) -> dict[str, Any]:
    """Everybody's prices in force: of hardware, and of models that have their own."""
    everybodys = [(sku, prices) for (sku, account_id), prices in sorted(book.lists.items(), key=_sku) if not account_id]
    return {
        "hardware": [
            {"sku": sku, **line_document(price)} for sku, prices in everybodys if ":" not in sku for price in prices
        ],
        "models": [
            {"model": sku.partition(":")[2], "lines": [line_document(price) for price in prices]}
            for sku, prices in everybodys
            if ":" in sku
        ],
    }


def resolved_document(resolved: Resolved) -> dict[str, Any]:
    """What runs of one model cost: by what they make, else by their time."""
    prices: Sequence[Price] = resolved.units or (resolved.time,)
    return {"by": "units" if resolved.is_by_units else "time", "lines": [line_document(price) for price in prices]}


def rules_document() -> dict[str, Any]:
    """The table of billing.md 4.3, from what rating goes by."""
    return {
        "classes": [{"class": str(one), "charged": one.label} for one in BillingClass],
        "outcomes": [_rule_document(rule) for rule in (*RULES, *SETUP_RULES)],
        "instance_time": {
            "segment_seconds": SEGMENT_SECONDS,
            "gap_seconds": BEAT_GAP_SECONDS,
            "setup_failures_charged": SETUP_FAILURES_CHARGED,
        },
    }


def _rule_document(rule: Rule) -> dict[str, Any]:
    verdicts = sorted(filter(None, (verdict_of(fault) for fault in rule.faults)))
    return {
        "outcome": rule.outcome,
        "title": rule.title,
        "verdicts": verdicts,
        "charged": {str(one): str(rule.charge(one)) for one in BillingClass},
        "note": rule.note,
    }


def _sku(item: tuple[tuple[str, int | None], Any]) -> tuple[str, int]:
    sku, account_id = item[0]
    return sku, account_id or 0
