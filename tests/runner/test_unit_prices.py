"""Runs that are charged by what they make: pinned, quoted, shown and rated from the same prices."""

import pytest
from django.utils import timezone

from billing import price_lists, prices
from billing.models import Meter, Price, QuarantinedUsage, UsageRecord
from billing.price_lists import Line
from marketplace.pages import model_head
from runner import binding_quotes, costs, quotes
from runner.states import FaultClass, Status
from tests.models_catalog.factories import VersionFactory, schema
from tests.runner.factories import end, make_prediction
from tests.runner.test_quotes import quoted

FIELDS = {"text": {"type": "string"}, "size": {"type": "string", "default": "small"}}
LINES = [Line(Meter.OUTPUT_IMAGE, 40_000_000, 1), Line(Meter.OUTPUT_IMAGE, 90_000_000, 1, {"size": "large"})]


@pytest.fixture
def set_prices(olga):
    def set_them(*lines):
        price_lists.set_model_prices(
            olga.user, model_name="alice/echo", lines=lines, effective_from=timezone.now(), reason=""
        )
        prices.forget()

    return set_them


@pytest.fixture
def version(alice, set_prices):
    set_prices(*LINES)
    return VersionFactory.create(model__account=alice, model__name="echo", openapi_schema=schema(FIELDS))


def lines_of(prediction):
    records = UsageRecord.objects.filter(subject=f"prediction/{prediction.pk}").order_by("meter")
    return list(records.values_list("meter", "quantity", "amount_nanos"))


def test_a_run_is_charged_the_images_of_its_output(version):
    prediction = end(make_prediction(version), output=["https://x.test/1.png", "https://x.test/2.png"], predict_us=9)
    assert lines_of(prediction) == [("output_image", 2, 80_000_000)]
    assert UsageRecord.objects.get().billing_class == "unit"


def test_the_inputs_members_choose_the_price(version):
    prediction = make_prediction(version, input={"text": "hi", "size": "large"})
    end(prediction, metrics={"image_count": 3})
    assert lines_of(prediction) == [("output_image", 3, 270_000_000)]


@pytest.mark.parametrize(
    ("status", "fault", "output", "amount"),
    [
        (Status.FAILED, FaultClass.MODEL_ERROR, None, 0),
        (Status.FAILED, FaultClass.MODEL_ERROR, ["https://x.test/1.png"], 40_000_000),
        (Status.CANCELED, FaultClass.USER_CANCEL, ["https://x.test/1.png"], 40_000_000),
        (Status.FAILED, FaultClass.PLATFORM, ["https://x.test/1.png"], 0),
    ],
)
def test_inv_14_what_was_delivered_is_charged_but_for_our_faults(version, status, fault, output, amount):
    prediction = end(make_prediction(version), status, error="e", fault_class=fault, output=output)
    assert sum(line[2] for line in lines_of(prediction)) == amount


def test_tokens_are_two_lines_and_a_missing_report_is_not_charged(alice, set_prices):
    set_prices(Line(Meter.INPUT_TOKENS, 3_000_000_000), Line(Meter.OUTPUT_TOKENS, 15_000_000_000))
    version = VersionFactory.create(model__account=alice, model__name="echo")
    prediction = end(make_prediction(version), metrics={"input_token_count": 1_234_567})
    assert lines_of(prediction) == [("input_tokens", 1_234_567, 3_703_701_000), ("output_tokens", 0, 0)]
    assert QuarantinedUsage.objects.get().why == "the model reported no output_token_count"


def test_f18_a_price_that_starts_later_is_for_later_runs(version):
    before = make_prediction(version)
    Price.objects.create(
        sku="model:alice/echo", meter=Meter.OUTPUT_IMAGE, rate_nanos=1, per_units=1, effective_from=timezone.now()
    )
    prices.forget()
    after = make_prediction(version)
    for prediction in (before, after):
        end(prediction, metrics={"image_count": 1})
    assert (lines_of(before)[0][2], lines_of(after)[0][2]) == (40_000_000, 1)


def test_f18_the_same_of_time(alice, olga):
    version = VersionFactory.create(model__account=alice)
    before = make_prediction(version)
    price_lists.set_hardware_price(olga.user, sku="cpu", rate_nanos=1, effective_from=timezone.now(), reason="")
    prices.forget()
    after = make_prediction(version)
    for prediction in (before, after):
        end(prediction, predict_us=1_000_000)
    assert (lines_of(before)[0][2], lines_of(after)[0][2]) == (100_000, 1)


def test_inv_27_what_is_shown_quoted_and_charged_is_one_price(api, version):
    for count in (1, 2, 3, 4, 5):
        end(make_prediction(version), metrics={"image_count": count})
    [shown, _] = api.get("/v1/prices").json()["models"][0]["lines"]
    [of_model] = api.get("/v1/models/alice/echo").json()["pricing"]["lines"]
    quote = quoted(api, version)
    assert quote["unit_prices"] == [of_model] == [shown]
    assert (quote["billing_class"], quote["expected"]["cost"]["p50_nanos"]) == ("unit", 3 * 40_000_000)
    prediction = end(make_prediction(version), metrics={"image_count": 3})
    assert lines_of(prediction)[0][2] == 3 * 40_000_000


def test_inv_27_a_run_on_ones_own_instances_is_quoted_what_it_costs(api, alice):
    version = VersionFactory.create(model__account=alice, model__name="own", model__visibility="private")
    for _ in range(5):
        end(make_prediction(version), predict_us=1_000_000)
    quote = quoted(api, version)
    assert (quote["billing_class"], quote["expected"]["cost"]["p90_nanos"]) == ("dedicated", 0)


def test_what_is_held_follows_the_class(version, alice):
    assert costs.hold_request(make_prediction(version)).amount_nanos == 40_000_000
    own = VersionFactory.create(model__account=alice, model__name="own", model__visibility="private")
    assert costs.hold_request(make_prediction(own)).amount_nanos == 0


def test_a_binding_quote_of_units_covers_the_dearest_run(version):
    run = make_prediction(version)
    for count in (1, 2, 3, 4, 5):
        end(make_prediction(version), metrics={"image_count": count})
    basis = quotes.find_basis(run)
    assert basis is not None
    assert binding_quotes._most(run, basis) == 5 * 40_000_000 * 5 // 4


def test_inv_27_a_models_page_shows_its_own_prices(api, version):
    page = model_head.head(None, version.model, "api")
    assert [price.rate_nanos for price in page["unit_prices"]] == [40_000_000]
    assert page["price"] is None


def test_a_run_on_ones_own_instances_is_explained(api, alice):
    version = VersionFactory.create(model__account=alice, model__name="own", model__visibility="private")
    prediction = end(make_prediction(version), predict_us=1_000_000)
    text = api.get(f"/v1/predictions/{prediction.pk}/explain").json()["cost"]["text"]
    assert text == "Not charged by itself: it ran on an instance whose online time is charged."
