"""The public page of prices: by hardware, by model, and what is charged for how a run ends; from what rating uses."""

from dataclasses import dataclass

from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.authentication import session_caller
from billing import outcomes, prices
from billing.classes import BillingClass
from billing.models import Meter, Price
from models_catalog import lookup
from runner.models import Hardware

_CHARGES = {
    outcomes.Charge.NOTHING: "nothing",
    outcomes.Charge.TIME: "processing time",
    outcomes.Charge.UNITS: "what was made",
    outcomes.Charge.INSTANCE_TIME: "the instance's online time",
    outcomes.Charge.INSTANCE_TIME_BUT_BROKEN: "online time, less the broken part",
    outcomes.Charge.INSTANCE_TIME_TO_FAILURE: "online time until it failed",
}
_CLASSES = {
    BillingClass.SHARED: "By time",
    BillingClass.UNIT: "By what it makes",
    BillingClass.DEDICATED: "Own instances",
    BillingClass.TRAINING: "Training",
}
_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class HardwarePrice:
    """hour_nanos: of one hour; own: is it the reader's own contract price?"""

    hardware: Hardware
    price: Price
    hour_nanos: int
    is_own: bool

    @property
    def cpus(self) -> str:
        """Cores: `0.5`, `4`."""
        return f"{self.hardware.cpu_millis / 1000:g}"


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """What a model that has prices of its own costs; name: `owner/name`."""

    name: str
    lines: tuple[Price, ...]


@require_safe
def pricing(request: HttpRequest) -> HttpResponse:
    """With the prices that apply to who reads it."""
    caller = session_caller(request)
    account_id = caller.account_id if caller else None
    book = prices.current_book()
    context = {
        "hardware": _hardware(book, account_id),
        "models": _models(book),
        "classes": list(_CLASSES.values()),
        "rules": [
            (rule, [_CHARGES[rule.charge(one)] for one in _CLASSES])
            for rule in (*outcomes.RULES, *outcomes.SETUP_RULES)
        ],
        "gap_seconds": outcomes.BEAT_GAP_SECONDS,
    }
    return render(request, "marketplace/pricing.html", context)


def _hardware(book: prices.Book, account_id: int | None) -> list[HardwarePrice]:
    found = []
    for hardware in Hardware.objects.all():
        for price in book.list_of(hardware.sku, account_id):
            if price.meter == Meter.COMPUTE_TIME and not price.selector:
                hour = _SECONDS * 1_000_000 * price.rate_nanos // price.per_units
                found.append(HardwarePrice(hardware, price, hour, price.account_id is not None))
    return found


def _models(book: prices.Book) -> list[ModelPrice]:
    """Everybody's, of models that everybody sees."""
    lists = {sku.partition(":")[2]: lines for (sku, owner), lines in book.lists.items() if owner is None and ":" in sku}
    owners = {name.partition("/")[0] for name in lists}
    models = lookup.public_models().annotate(owner=Lower("account__username")).filter(owner__in=owners)
    public = {model.full_name.lower(): model.full_name for model in models.select_related("account")}
    return [ModelPrice(public[name], lines) for name, lines in sorted(lists.items()) if name in public]
