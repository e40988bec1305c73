"""Binding quotes: what they promise, what they may be used for, and that a run with one never costs more."""

import datetime

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from billing.models import Hold, Price, Quote, UsageRecord
from billing.rating import cost
from marketplace.lib.problems import Conflict
from runner import binding_quotes
from runner.models import Prediction
from runner.quotes import Basis
from tests.billing.factories import fund
from tests.models_catalog.factories import VersionFactory, schema
from tests.runner.factories import end, make_prediction

SECOND = 1_000_000  # µs
INPUT = {"text": "hi"}


@pytest.fixture
def version(alice):
    fields = {"text": {"type": "string"}, "width": {"type": "integer", "maximum": 4, "default": 1}}
    return VersionFactory.create(model__account=alice, model__name="echo", openapi_schema=schema(fields))


@pytest.fixture
def known(version):
    """The version after ten runs of 1 to 10 seconds."""
    for seconds in range(1, 11):
        end(make_prediction(version), predict_us=seconds * SECOND)
    return version


def quoted(api, version, **members):
    answer = api.post("/v1/quotes", {"version": version.pk, "input": INPUT, **members})
    assert answer.status_code == 201, answer.text
    return answer.json()


def created(api, version, quote, members=()):
    return api.post("/v1/predictions", {"version": version.pk, "input": INPUT, "quote": quote["id"]} | dict(members))


def test_a_quote_promises_more_than_the_longest_run_took(api, known):
    quote = quoted(api, known)
    assert (quote["model"], quote["version"], quote["hardware"]) == ("alice/echo", known.pk, "cpu")
    assert (quote["p50"], quote["p90"], quote["max"]) == ("0.0005", "0.0009", "0.00135")
    assert (quote["runs"], quote["used_by"]) == (10, None)
    assert api.get(f"/v1/quotes/{quote['id']}").json() == quote


@pytest.mark.parametrize(
    ("taken", "limit", "longest"),
    [([1] * 19 + [40], 1800, 50), ([10] * 10, 1800, 15), ([1] * 10, 0, 2), ([1000] * 10, 1200, 1200)],
)
def test_the_longest_time_that_is_charged(settings, taken, limit, longest):
    settings.PREDICTION_TIMEOUT_SECONDS = limit
    basis = Basis("version", [seconds * 10 for seconds in taken], timezone.now())
    found = binding_quotes.longest(Basis("version", [us * SECOND // 10 for us in basis.microseconds], basis.since))
    assert -(-found // SECOND) == longest


def test_nothing_is_promised_where_too_little_is_known(api, version):
    for _ in range(10):
        end(make_prediction(VersionFactory.create(model=version.model, latest=False)), predict_us=SECOND)
    answer = api.post("/v1/quotes", {"version": version.pk, "input": INPUT})
    assert (answer.status_code, answer.json()["code"]) == (409, "unknown")
    assert not Quote.objects.exists()


WRONG = {
    "no_input": ({"input": ...}, "input is required"),
    "no_target": ({"version": ...}, "One of version, model and deployment is required"),
    "two_targets": ({"model": "alice/echo"}, "One of version, model and deployment is required"),
    "model_without_owner": ({"version": ..., "model": "echo"}, "model: Expected owner/name"),
    "input_that_does_not_fit": ({"input": {"text": 5}}, "input.text: Invalid type. Expected: string, given: integer"),
    "surplus": ({"width": 1}, "Additional property width is not allowed"),
}


@pytest.mark.parametrize(("change", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_a_request_is_named(api, known, change, words):
    body = {"version": known.pk, "input": INPUT, **change}
    answer = api.post("/v1/quotes", {name: value for name, value in body.items() if value is not ...})
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


def test_a_run_takes_the_quotes_price_and_maximum(api, known):
    quote = quoted(api, known)
    Quote.objects.update(price=Price.objects.get(sku="cpu-small"))  # as if another one were in force since
    answer = created(api, known, quote)
    assert answer.status_code == 201, answer.text
    run = Prediction.objects.get(pk=answer.json()["id"])
    assert (run.price.rate_nanos, run.cost_cap_nanos) == (25_000, 1_350_000)
    assert api.get(f"/v1/quotes/{quote['id']}").json()["used_by"] == run.pk


def test_a_run_that_took_longer_costs_the_maximum(api, known):
    quote = quoted(api, known)
    run = Prediction.objects.get(pk=created(api, known, quote).json()["id"])
    end(run, predict_us=60 * SECOND)
    record = UsageRecord.objects.get(subject=f"prediction/{run.pk}")
    assert (record.gross_nanos, record.amount_nanos, record.quantity) == (6_000_000, 1_350_000, 60 * SECOND)


def test_what_is_held_for_a_run_is_the_maximum(api, alice, known):
    fund(alice, 10**9)
    run = created(api, known, quoted(api, known)).json()["id"]
    assert Hold.objects.get(subject=f"prediction/{run}").amount_nanos == 1_350_000


def test_a_quote_is_as_good_as_new_after_a_creation_that_was_refused(api, alice, known):
    quote = quoted(api, known)
    fund(alice, 1_000)
    assert created(api, known, quote).status_code == 402
    assert api.get(f"/v1/quotes/{quote['id']}").json()["used_by"] is None


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.lists(st.integers(1, 2000 * SECOND), min_size=5, max_size=20), taken=st.integers(0, 5000 * SECOND))
def test_no_run_with_a_quote_costs_more_than_it_whatever_the_history(known, before, taken):
    basis = Basis("version", sorted(before), timezone.now())
    run = make_prediction(known)
    quoted_nanos = cost(binding_quotes.longest(basis), run.price)
    Prediction.objects.filter(pk=run.pk).update(cost_cap_nanos=quoted_nanos)
    end(run, predict_us=taken)
    record = UsageRecord.objects.get(subject=f"prediction/{run.pk}")
    assert record.amount_nanos == min(record.gross_nanos, quoted_nanos)
    assert quoted_nanos <= cost(1800 * SECOND, run.price)


OTHERS = {
    "other_input": ({"input": {"text": "ho"}}, "quote: It was given for another input"),
    "more_input": ({"input": {"text": "hi", "width": 1}}, "quote: It was given for another input"),
    "no_such_quote": ({"quote": "abc"}, "quote: There is no such quote"),
    "no_text": ({"quote": 5}, "quote: Invalid type. Expected: string, given: integer"),
}


@pytest.mark.parametrize(("change", "words"), OTHERS.values(), ids=OTHERS)
def test_a_quote_is_for_its_input_alone(api, known, change, words):
    made = Prediction.objects.count()
    answer = created(api, known, quoted(api, known), change)
    assert (answer.status_code, answer.json()["detail"]) == (422, f"- {words}\n")
    assert Prediction.objects.count() == made


def test_a_quote_is_for_its_version_alone(api, known):
    other = VersionFactory.create(model=known.model, openapi_schema=known.openapi_schema)
    assert "another version" in created(api, other, quoted(api, known)).json()["detail"]


def test_a_strangers_quote_is_none(api, stranger_api, known, stranger):
    quote = quoted(api, known)
    assert stranger_api.get(f"/v1/quotes/{quote['id']}").status_code == 404
    assert "There is no such quote" in created(stranger_api, known, quote).json()["detail"]


def test_a_quote_is_used_once(api, known):
    quote = quoted(api, known)
    first = created(api, known, quote)
    again = created(api, known, quote)
    assert (again.status_code, again.headers["x-should-retry"]) == (409, "false")
    assert first.json()["id"] in again.json()["detail"]


def test_two_that_come_at_once_make_one_run(api, known):
    quote = quoted(api, known)
    first, second = make_prediction(known), make_prediction(known)
    binding_quotes.claim(quote["id"], first)
    with pytest.raises(Conflict, match=first.pk):
        binding_quotes.insert_once(quote["id"], second)


def test_a_quote_expires(api, known):
    quote = quoted(api, known)
    Quote.objects.update(expires_at=timezone.now())
    answer = created(api, known, quote)
    assert (answer.status_code, "It expired at" in answer.json()["detail"]) == (409, True)


def test_the_same_request_again_is_answered_with_the_same_run(api, known):
    quote, headers = quoted(api, known), {"Idempotency-Key": "k"}
    body = {"version": known.pk, "input": INPUT, "quote": quote["id"]}
    first, again = (api.post("/v1/predictions", body, headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code, again.json()["id"]) == (201, 201, first.json()["id"])


def test_quotes_are_forgotten_a_day_after_they_expired(api, known):
    quoted(api, known)
    assert binding_quotes.forget_old() == 0
    Quote.objects.update(expires_at=timezone.now() - datetime.timedelta(days=1, seconds=1))
    assert binding_quotes.forget_old() == 1
