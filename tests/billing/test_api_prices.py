"""Prices and the rules of charging are there for everybody, from what rating goes by."""

from django.utils import timezone

from billing import price_lists, prices
from billing.models import Meter
from billing.outcomes import RULES
from billing.price_lists import Line


def test_everybody_sees_the_prices_of_hardware_and_models(anonymous_api, alice, olga):
    for account, rate in ((None, 40_000_000), (alice, 1)):
        price_lists.set_model_prices(
            olga.user,
            model_name="alice/echo",
            lines=[Line(Meter.OUTPUT_IMAGE, rate, 1)],
            effective_from=timezone.now(),
            reason="",
            account=account,
        )
    prices.forget()
    found = anonymous_api.get("/v1/prices").json()
    assert {line["sku"]: line["rate"] for line in found["hardware"]}["gpu-t4"] == "0.000225"
    [model] = found["models"]
    assert (model["model"], [line["rate"] for line in model["lines"]]) == ("alice/echo", ["0.04"])


def test_everybody_sees_the_rules(anonymous_api, db):
    found = {rule["outcome"]: rule for rule in anonymous_api.get("/v1/billing/rules").json()["outcomes"]}
    assert set(found) > {rule.outcome for rule in RULES}
    assert found["platform_fault"]["verdicts"] == ["host", "platform"]
    assert found["platform_fault"]["charged"] == {
        "shared": "nothing",
        "unit": "nothing",
        "training": "nothing",
        "dedicated": "instance_time_minus_broken_segment",
    }
