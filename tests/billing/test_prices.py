"""Prices: in force by their dates, added by operators, never changed."""

import datetime

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from billing import price_lists, prices
from billing.models import Price
from marketplace.lib.problems import Conflict
from tests.plugins.people import Person

HOUR = datetime.timedelta(hours=1)


def test_a_new_price_holds_from_its_start_and_the_old_one_before(olga: Person) -> None:
    start = timezone.now() + HOUR
    price_lists.set_hardware_price(olga.user, sku="cpu", rate_nanos=7, effective_from=start, reason="dearer power")
    assert prices.price_at("cpu", start).rate_nanos == 7
    assert prices.price_at("cpu", start - datetime.timedelta(seconds=1)).rate_nanos == 100_000
    assert AuditEntry.objects.get().details == {"rate_nanos": 7, "effective_from": start.isoformat()}


def test_a_price_cannot_start_in_the_past_or_twice(olga: Person) -> None:
    start = timezone.now() + HOUR
    price_lists.set_hardware_price(olga.user, sku="cpu", rate_nanos=7, effective_from=start, reason="")
    for moment in (start, timezone.now() - HOUR):
        with pytest.raises(Conflict):
            price_lists.set_hardware_price(olga.user, sku="cpu", rate_nanos=8, effective_from=moment, reason="")
    assert Price.objects.filter(sku="cpu").count() == 2


def test_the_lowest_rate_is_that_of_the_cheapest_hardware_now(olga: Person) -> None:
    now = timezone.now()
    assert prices.lowest_rate(now) == 25_000
    price_lists.set_hardware_price(olga.user, sku="cpu-small", rate_nanos=200_000, effective_from=now + HOUR, reason="")
    assert prices.lowest_rate(now + HOUR) == 100_000
