"""Prices of models and contracts: set as whole lists, with notice, and the same for who looks, asks and pays."""

import datetime

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from accounts.models import AuditEntry
from billing import price_lists, prices
from billing.models import Meter, Price
from billing.price_lists import Line, set_model_prices
from marketplace.lib.problems import Conflict, ValidationFailed
from tests.billing.factories import use

HOUR, DAY = datetime.timedelta(hours=1), datetime.timedelta(days=1)
IMAGE = Line(Meter.OUTPUT_IMAGE, 40_000_000, 1)
TOKENS = [Line(Meter.INPUT_TOKENS, 3_000_000_000), Line(Meter.OUTPUT_TOKENS, 15_000_000_000)]
VIDEO = [
    Line(Meter.OUTPUT_VIDEO_TIME, 90_000_000, 1_000),
    Line(Meter.OUTPUT_VIDEO_TIME, 250_000_000, 1_000, {"resolution": "720p"}),
]


@pytest.fixture
def set_prices(olga):
    def set_them(*lines, start=None, account=None, model="alice/echo"):
        return set_model_prices(
            olga.user,
            model_name=model,
            lines=lines,
            effective_from=start or timezone.now(),
            reason="as agreed",
            account=account,
        )

    return set_them


def resolved(account=None, properties=None, model="alice/echo"):
    prices.forget()
    return prices.resolve(model, "cpu", account and account.pk, properties)


def rates(account=None, **properties):
    return [price.rate_nanos for price in resolved(account, properties).units]


def test_a_model_without_prices_costs_its_hardwares_time(db):
    assert (resolved().time.sku, resolved().units) == ("cpu", ())


def test_units_take_the_place_of_time(set_prices):
    set_prices(IMAGE)
    found = resolved(model="Alice/Echo")
    assert (found.is_by_units, [price.meter for price in found.units]) == (True, ["output_image"])
    assert AuditEntry.objects.get().action == "set_model_prices"


def test_the_most_specific_selector_counts(set_prices):
    set_prices(*VIDEO)
    assert (rates(), rates(resolution="480p"), rates(resolution="720p")) == ([90_000_000], [90_000_000], [250_000_000])


def test_a_contract_goes_before_the_model_and_the_hardware(set_prices, alice, stranger, olga):
    set_prices(IMAGE)
    set_prices(Line(Meter.OUTPUT_IMAGE, 1, 1), account=alice)
    price_lists.set_hardware_price(
        olga.user, sku="cpu", rate_nanos=5, effective_from=timezone.now(), reason="", account=alice
    )
    assert (rates(alice), rates(stranger)) == ([1], [40_000_000])
    assert (resolved(alice).time.rate_nanos, resolved(stranger).time.rate_nanos) == (5, 100_000)


def test_a_list_that_starts_replaces_the_one_before_whole(set_prices):
    set_prices(*TOKENS, start=timezone.now() - datetime.timedelta(minutes=1))
    set_prices(IMAGE)
    assert [price.meter for price in resolved().units] == ["output_image"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "There must be a price"),
        ([IMAGE, Line(Meter.COMPUTE_TIME, 1)], "never by both"),
        ([Line(Meter.INSTANCE_TIME, 1)], "never by both"),
        (TOKENS[:1], "Input and output tokens"),
        (VIDEO[1:], "that no selector is for"),
        ([*VIDEO, Line(Meter.OUTPUT_VIDEO_TIME, 1, 1, {"fps": 60})], "for the same inputs"),
        ([IMAGE, IMAGE], "for the same inputs"),
        ([Line(Meter.OUTPUT_IMAGE, -1, 1)], "below zero"),
        ([Line(Meter.OUTPUT_IMAGE, 1, 0)], "per nothing"),
        ([Line(Meter.OUTPUT_IMAGE, 1, 1, markup_nanos=2)], "publisher's part"),
        ([IMAGE, Line(Meter.OUTPUT_IMAGE, 1, 1, {"size": [1]})], "A selector's values"),
        ([Line("smiles", 1, 1)], "is no meter"),
    ],
)
def test_what_is_no_whole_list_is_refused(set_prices, lines, message):
    with pytest.raises(ValidationFailed, match=message):
        set_prices(*lines)
    assert not Price.objects.filter(sku__startswith="model:").exists()


@pytest.mark.parametrize(
    ("rate", "min_charge", "notice", "is_accepted"),
    [
        (50_000_000, 0, DAY, False),
        (50_000_000, 0, 7 * DAY, True),
        (30_000_000, 0, datetime.timedelta(), True),
        (40_000_000, 1, DAY, False),
    ],
)
def test_who_used_a_model_hears_of_an_increase_a_week_before(set_prices, alice, rate, min_charge, notice, is_accepted):
    use(alice)
    set_prices(IMAGE, start=timezone.now() + 7 * DAY)
    Price.objects.create(
        sku="model:alice/echo",
        meter=IMAGE.meter,
        rate_nanos=IMAGE.rate_nanos,
        per_units=1,
        effective_from=timezone.now() - DAY,
    )
    changed = Line(Meter.OUTPUT_IMAGE, rate, 1, min_charge_nanos=min_charge)
    start = timezone.now() + notice + datetime.timedelta(minutes=1)
    if is_accepted:
        set_prices(changed, start=start)
    else:
        with pytest.raises(Conflict, match="168 hours before"):
            set_prices(changed, start=start)


def test_a_used_model_is_not_priced_by_units_overnight(set_prices, alice):
    use(alice)
    with pytest.raises(Conflict):
        set_prices(IMAGE, start=timezone.now() + DAY)


def test_dearer_hardware_needs_an_hours_notice(olga):
    soon = timezone.now() + datetime.timedelta(minutes=30)
    with pytest.raises(Conflict, match="1 hours before"):
        price_lists.set_hardware_price(olga.user, sku="cpu", rate_nanos=200_000, effective_from=soon, reason="")
    price_lists.set_hardware_price(olga.user, sku="cpu", rate_nanos=50_000, effective_from=soon, reason="")


def test_inv_10_a_price_never_changes(db):
    for change in (
        lambda: Price.objects.filter(sku="cpu").update(rate_nanos=1),
        lambda: Price.objects.filter(sku="cpu").delete(),
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()


def test_inv_10_at_every_moment_one_list_is_in_force(set_prices):
    first = timezone.now()
    second = first + HOUR
    set_prices(IMAGE, start=first)
    set_prices(Line(Meter.OUTPUT_IMAGE, 1, 1), start=second)
    moment = datetime.timedelta(microseconds=1)
    found = [
        [price.rate_nanos for price in prices.book_at(at).list_of("model:alice/echo", None)]
        for at in (first - moment, first, second - moment, second)
    ]
    assert found == [[], [40_000_000], [40_000_000], [1]]
