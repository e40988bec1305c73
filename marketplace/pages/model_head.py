"""What stands above every tab of a model's page: badges, links, what it costs, whether it is warm.

Source: product-ux.md 3.1.
"""

import statistics
from dataclasses import dataclass
from typing import Any

from accounts.access import Caller
from billing.models import Price
from billing.prices import PriceMissing, Resolved, resolve
from billing.rating import cost
from models_catalog import lookup
from models_catalog.models import Model
from runner.models import Hardware, Instance, Prediction
from runner.states import INSTANCE_UP, Status

_RECENT = 100  # succeeded predictions that "typical" is taken from


@dataclass(frozen=True, slots=True)
class Typical:
    """What recent runs took: seconds in the middle of them, and what that costs."""

    runs: int
    seconds: float
    amount_nanos: int


@dataclass(frozen=True, slots=True)
class Warmth:
    """How many instances are up, and how long the last one took to come up (None if that is not known)."""

    warm: int
    boot_seconds: float | None


def is_owner(caller: Caller | None, model: Model) -> bool:
    """Does the model belong to the one who asks?"""
    return caller is not None and caller.owns(model.account_id)


def head(caller: Caller | None, model: Model, tab: str) -> dict[str, Any]:
    """The context of a page that extends `models_catalog/model_base.html`."""
    resolved = _resolved(caller, model)
    price = None if resolved is None or resolved.units else resolved.time
    return {
        "model": model,
        "tab": tab,
        "is_owner": is_owner(caller, model),
        "links": _links(model),
        "price": price,
        "unit_prices": resolved.units if resolved else (),
        "hardware": Hardware.objects.filter(pk=model.hardware).first(),
        "typical": _typical(model, price),
        "warmth": _warmth(model),
        "example_count": model.examples.count(),
        "version_count": lookup.list_versions(caller, model).count(),
    }


def _links(model: Model) -> list[tuple[str, str]]:
    """Addresses that the author gave; only ones that a click may follow."""
    links = [
        ("Source", model.github_url),
        ("Paper", model.paper_url),
        ("Weights", model.weights_url),
        ("License", model.license_url),
    ]
    return [(label, url) for label, url in links if url.startswith(("https://", "http://"))]


def _resolved(caller: Caller | None, model: Model) -> Resolved | None:
    """What a run costs who looks: the same prices that runs are made at."""
    try:
        return resolve(model.full_name, model.hardware, caller.account_id if caller else None)
    except PriceMissing:
        return None


def _typical(model: Model, price: Price | None) -> Typical | None:
    runs = Prediction.objects.filter(model=model, kind=Prediction.Kind.PREDICTION, status=Status.SUCCEEDED)
    recent = runs.order_by("-created_at")
    measured = recent.values_list("metrics__predict_time", flat=True)[:_RECENT]
    times = [seconds for seconds in measured if seconds is not None]
    if not times or price is None:
        return None
    seconds = statistics.median(times)
    return Typical(len(times), seconds, cost(round(seconds * 1_000_000), price))


def _warmth(model: Model) -> Warmth:
    # Those of deployments run nobody else's predictions.
    instances = Instance.objects.filter(version_id=model.latest_version_id, deployment=None, is_training=False)
    last = instances.exclude(ready_at=None).order_by("-created_at").first()
    seconds = (last.ready_at - last.created_at).total_seconds() if last and last.ready_at else None
    return Warmth(instances.filter(state__in=INSTANCE_UP).count(), seconds)
