"""What a run cost is told where it is read: net of refunds, by one query, and never on the hot path."""

import pytest

from billing import posting, refunds
from billing.models import UsageRecord
from runner.billed_documents import billed_documents
from tests.models_catalog.factories import VersionFactory
from tests.runner.factories import end, make_prediction, start

SECOND = 1_000_000  # µs; 100,000 nanos on cpu


@pytest.fixture
def version(alice):
    return VersionFactory.create(model__account=alice, model__name="echo")


def read(api, run):
    return api.get(f"/v1/predictions/{run.pk}").json()


def test_an_ended_run_says_what_it_cost_and_why(api, version):
    run = end(make_prediction(version), predict_us=2 * SECOND)
    bill = read(api, run)["billing"]
    line = {
        "meter": "compute_time",
        "quantity": 2 * SECOND,
        "unit_price": {"rate": "0.0001", "per_units": SECOND},
        "gross": "0.0002",
        "amount": "0.0002",
    }
    assert bill == {"status": "pending", "total": "0.0002", "currency": "usd", "verdict": "none", "lines": [line]}
    posting.post_usage()
    assert read(api, run)["billing"] == {**bill, "status": "final"}
    assert [one["billing"]["status"] for one in api.get("/v1/predictions").json()["results"]] == ["final"]


@pytest.mark.parametrize(("part", "total"), [(None, "0.00"), (50_000, "0.00015")])
def test_a_refund_is_taken_off_the_total(api, version, part, total):
    run = end(make_prediction(version), predict_us=2 * SECOND)
    refunds.refund_usage(UsageRecord.objects.get(), reason="our fault", amount_nanos=part)
    bill = read(api, run)["billing"]
    assert (bill["status"], bill["total"], len(bill["lines"])) == ("refunded", total, 1)


def test_what_has_not_ended_has_no_bill(api, version):
    run = make_prediction(version)
    assert "billing" not in read(api, run)
    start(run)
    assert "billing" not in api.get("/v1/predictions").json()["results"][0]


def test_answers_to_creations_and_cancelling_have_none(api, version):
    made = api.post("/v1/predictions", {"version": version.pk, "input": {"text": "hi"}}).json()
    assert "billing" not in made
    assert "billing" not in api.post(f"/v1/predictions/{made['id']}/cancel").json()


def test_a_page_takes_one_query_for_all_bills(version, django_assert_num_queries):
    runs = [end(make_prediction(version), predict_us=SECOND) for _ in range(5)]
    billed_documents(runs)
    with django_assert_num_queries(1):
        assert all(document["billing"] for document in billed_documents(runs))
