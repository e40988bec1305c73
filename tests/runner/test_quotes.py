"""What a run may take and cost, without running it: from what runs like it took, or honestly nothing."""

import datetime

import pytest
from django.utils import timezone

from runner import quotes
from runner.models import Batch, Deployment, Prediction
from tests.billing.factories import fund
from tests.models_catalog.factories import VersionFactory, schema
from tests.runner.factories import end, make_instance, make_prediction


@pytest.fixture
def version(alice):
    fields = {"text": {"type": "string"}, "width": {"type": "integer", "maximum": 4, "default": 1}}
    return VersionFactory.create(model__account=alice, model__name="echo", openapi_schema=schema(fields))


def ran(version, *seconds, **outcome):
    for each in seconds:
        end(make_prediction(version), predict_us=round(each * 1_000_000), **outcome)


def quoted(api, version, path="/v1/predictions", **members):
    body = {"input": {"text": "hi"}, "dry_run": True, **members}
    answer = api.post(path, body if path != "/v1/predictions" else {"version": version.pk, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("count", "percent", "value"), [(1, 50, 1), (1, 90, 1), (2, 50, 1), (10, 50, 5), (10, 90, 9), (11, 90, 10)]
)
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(count, percent, value):
    assert quotes.percentile(range(1, count + 1), percent) == value


def test_a_quote_tells_time_and_cost_and_what_it_knows_them_from(api, version):
    ran(version, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    quote = quoted(api, version)
    assert (quote["dry_run"], quote["model"], quote["version"], quote["hardware"]) == (
        True,
        "alice/echo",
        version.pk,
        "cpu",
    )
    assert quote["price"] == {"currency": "usd", "per_second": "0.0001", "per_second_nanos": 100_000}
    assert quote["expected"]["seconds"] == {"p50": 5, "p90": 9}
    assert quote["expected"]["cost"] == {
        "currency": "usd",
        "p50": "0.0005",
        "p90": "0.0009",
        "p50_nanos": 500_000,
        "p90_nanos": 900_000,
    }
    basis = quote["expected"]["basis"]
    assert (basis["runs"], basis["of"]) == (10, "version")
    first = Prediction.objects.order_by("created_at").first()
    assert first and datetime.datetime.fromisoformat(basis["since"]) == first.created_at


def test_nothing_is_made_and_nothing_charged(api, version):
    quoted(api, version)
    assert not Prediction.objects.exists()


def test_too_few_runs_tell_nothing(api, version):
    ran(version, 1, 1, 1, 1)
    ran(version, 1, status="failed")
    quote = quoted(api, version)
    assert quote["expected"] is None
    assert quote["reason"] == "unknown: fewer than 5 runs have succeeded on cpu"


def test_runs_of_other_versions_of_the_model_will_do(api, version):
    ran(VersionFactory.create(model=version.model, latest=False), 2, 2, 2, 2, 2)
    assert quoted(api, version)["expected"]["basis"]["of"] == "model"


def test_runs_on_other_hardware_tell_nothing(api, version):
    ran(version, 1, 1, 1, 1, 1)
    Prediction.objects.update(hardware="gpu-h100")
    assert quoted(api, version)["expected"] is None


def test_runs_whose_data_are_removed_still_count(api, version):
    ran(version, 1, 1, 1, 1, 1)
    Prediction.objects.update(data_removed=True, input={}, output=None, logs="")
    assert quoted(api, version)["expected"]["seconds"]["p50"] == 1


def test_a_cold_start_is_told_while_no_instance_is_ready(api, version):
    pool = make_prediction(version).pool
    began = timezone.now()
    old = make_instance(pool, state="stopped", ready_at=began + datetime.timedelta(seconds=12))
    type(old).objects.update(created_at=began)
    assert quoted(api, version)["cold_start_seconds"] == 12
    make_instance(pool, state="ready")
    assert "cold_start_seconds" not in quoted(api, version)


def test_a_wrong_input_is_refused_as_ever(api, version):
    answer = api.post("/v1/predictions", {"version": version.pk, "input": {"width": 5}, "dry_run": True})
    assert (answer.status_code, len(answer.json()["invalid_fields"])) == (422, 2)


def test_a_flag_that_is_none_is_refused(api, version):
    answer = api.post("/v1/predictions", {"version": version.pk, "input": {"text": "x"}, "dry_run": "yes"})
    assert answer.json()["detail"] == "- dry_run: Invalid type. Expected: boolean, given: string\n"


def test_who_has_no_credit_may_ask_too(api, alice, version):
    fund(alice, 0)
    quoted(api, version)


def test_official_models_quote_by_name(api, version):
    type(version.model).objects.update(is_official=True)
    assert quoted(api, version, "/v1/models/alice/echo/predictions")["version"] == "hidden"


def test_a_batch_quotes_all_of_it(api, version):
    ran(version, 1, 1, 1, 1, 2)
    body = {"version": version.pk, "inputs": [{"text": "x"}] * 7, "dry_run": True}
    quote = api.post("/v1/batches", body).json()
    assert (quote["predictions"], quote["expected_total_cost"]["p50"]) == (7, "0.0007")
    assert quote["expected_total_cost"]["p90_nanos"] == 7 * 200_000
    assert not Batch.objects.exists()


def test_a_deployment_quotes_its_own_hardware(api, alice, version):
    made = api.post(
        "/v1/deployments",
        {
            "name": "prod",
            "model": "alice/echo",
            "version": version.pk,
            "hardware": "gpu-t4",
            "min_instances": 0,
            "max_instances": 1,
        },
    )
    assert made.status_code == 200, made.text
    Deployment.objects.update(serving_release=Deployment.objects.get().current_release)
    quote = quoted(api, version, "/v1/deployments/alice/prod/predictions")
    assert (quote["hardware"], quote["deployment"]) == ("gpu-t4", "alice/prod")
