"""What an account may not pay for is not accepted, and leaves no trace; what is accepted is held until it is posted.

Source: billing.md 8.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.db import connection
from django.utils import timezone

from billing import limits, posting
from billing.classes import BillingClass
from billing.models import BillingAccount, Hold, UsageRecord
from billing.prices import current_price
from marketplace.lib.problems import Problem
from models_catalog import lookup
from runner import costs, event_log, lifecycle
from runner.lifecycle import Outcome
from runner.models import Batch, LoggedEvent, Prediction
from runner.predictions import NewPrediction, prepare
from runner.states import FaultClass, Status
from tests.accounts.factories import caller_of
from tests.billing.factories import fund
from tests.models_catalog.factories import VersionFactory
from tests.runner.factories import end, make_prediction, start

DOLLAR = 1_000_000_000
UNKNOWN = 30 * 25_000  # what is held on `cpu-small` for a version that nobody has run
MINUTES = 30 * 60 * 25_000  # the time limit's worth


@pytest.fixture
def version(alice):
    costs.forget()
    return VersionFactory.create(model__account=alice, model__name="echo", model__hardware="cpu-small")


@pytest.fixture
def body(version):
    return {"version": version.pk, "input": {"text": "hi"}}


@pytest.fixture(autouse=True)
def quick(settings):
    settings.RATE_LIMIT_LOW_CREDIT_PER_MINUTE = 10**9


def held(account):
    return BillingAccount.objects.get(pk=account.pk).held_nanos


def post_soon(api, path, body, **options):
    """The low-credit bucket holds one; here it is full again after a moment."""
    while (answer := api.post(path, body, **options)).status_code == 429:
        pass
    return answer


def test_a_run_of_a_new_version_is_held_for_30_seconds(api, alice, body):
    fund(alice, DOLLAR)
    made = api.post("/v1/predictions", body).json()
    hold = Hold.objects.get()
    assert (hold.subject, hold.amount_nanos, hold.user_id) == (f"prediction/{made['id']}", UNKNOWN, alice.user_id)
    assert hold.token_id is not None


@pytest.mark.parametrize(
    ("took_seconds", "held_seconds"), [(0.1, 1), (4, 8), (1700, 1800)], ids=["least", "twice", "time limit"]
)
def test_known_versions_are_held_for_twice_what_they_take(alice, version, took_seconds, held_seconds):
    end(make_prediction(version), predict_us=round(took_seconds * 1_000_000))
    fund(alice, DOLLAR)
    prediction = make_prediction(version)
    assert Hold.objects.get(subject=costs.subject_of(prediction)).amount_nanos == held_seconds * 25_000


def test_a_quoted_run_is_held_for_at_most_its_quote(version):
    prediction = make_prediction(version)
    prediction.cost_cap_nanos = 7
    assert costs.hold_request(prediction).amount_nanos == 7


def test_what_runs_on_paid_instances_is_held_for_nothing(version):
    prediction = make_prediction(version)
    prediction.billing_class = BillingClass.DEDICATED
    assert costs.hold_request(prediction).amount_nanos == 0


def test_a_trial_is_held_for_its_time_limit(alice, version):
    fund(alice, DOLLAR)
    BillingAccount.objects.update(mode="trial")
    make_prediction(version)
    assert held(alice) == MINUTES


def test_what_is_refused_leaves_nothing_behind(api, alice, body):
    fund(alice, UNKNOWN - 1)
    headers = {"Prefer": "wait=5", "Idempotency-Key": "order-1"}
    answers = [post_soon(api, "/v1/predictions", body, headers=given) for given in ({}, headers, {"Prefer": "wait=5"})]
    assert [answer.status_code for answer in answers] == [402, 402, 402]
    assert answers[2].headers["preference-applied"] == "wait=5"
    assert not (Prediction.objects.exists() or Hold.objects.exists() or UsageRecord.objects.exists())
    assert not LoggedEvent.objects.filter(type__startswith="prediction").exists()
    fund(alice, 1)
    assert post_soon(api, "/v1/predictions", body, headers=headers | {"Prefer": ""}).status_code == 201


def test_who_cannot_pay_keeps_nobody_else_out_of_the_same_commit(alice, stranger, version):
    fund(alice, UNKNOWN)
    rich, poor = (_unwritten(version, account) for account in (alice, stranger))
    fund(stranger, 0)
    written, refused = lifecycle.insert_many([rich, poor])
    assert (written, isinstance(refused, Problem)) == (rich, True)
    assert list(Prediction.objects.values_list("pk", flat=True)) == [rich.pk]


@pytest.mark.parametrize(("affords", "status"), [(2, 402), (3, 201)])
def test_a_batch_is_paid_for_whole_or_not_made(api, alice, version, affords, status):
    fund(alice, affords * UNKNOWN)
    answer = post_soon(api, "/v1/batches", {"version": version.pk, "inputs": [{"text": "x"}] * 3})
    assert answer.status_code == status
    assert (Batch.objects.count(), Hold.objects.count()) == ((1, 3) if status == 201 else (0, 0))


def test_a_dry_run_needs_no_credit(api, alice, body):
    fund(alice, 0)
    assert post_soon(api, "/v1/predictions", {**body, "dry_run": True}).status_code == 200


@pytest.mark.parametrize(
    ("outcome", "charged"),
    [
        (Outcome("", None, Status.SUCCEEDED, predict_us=1_000_000), 25_000),
        (Outcome("", None, Status.FAILED, error="lost", fault_class=FaultClass.PLATFORM), 0),
    ],
    ids=["succeeded", "platform fault"],
)
def test_an_end_settles_the_hold_with_what_it_cost(alice, version, outcome, charged):
    fund(alice, DOLLAR)
    prediction = make_prediction(version)
    start(prediction)
    lifecycle.end_many([replace(outcome, prediction_id=prediction.pk)])
    assert held(alice) == UNKNOWN
    posting.post_usage(account_id=alice.pk)
    payer = BillingAccount.objects.get(pk=alice.pk)
    assert (payer.held_nanos, payer.spendable_nanos) == (0, DOLLAR - charged)


def test_a_run_that_is_given_up_before_it_starts_frees_its_hold(alice, version):
    fund(alice, DOLLAR)
    prediction = make_prediction(version, deadline_seconds=0)
    lifecycle.end_many([Outcome(prediction.pk, None, Status.ABORTED, fault_class=FaultClass.TIMEOUT)])
    posting.post_usage(account_id=alice.pk)
    assert held(alice) == 0


def test_a_requeued_run_keeps_its_hold(alice, version):
    fund(alice, DOLLAR)
    prediction = make_prediction(version)
    lifecycle.requeue(prediction.pk, start(prediction), logs="")
    assert held(alice) == UNKNOWN


def test_f13_of_200_creates_at_once_the_10_that_the_credit_pays_are_made(alice, version):
    fund(alice, 10 * UNKNOWN)
    rows = [_unwritten(version, alice) for _ in range(200)]
    current_price("cpu-small")
    together = threading.Barrier(20)

    def create(part):
        try:
            together.wait()
            return [isinstance(lifecycle.insert_many([row])[0], Problem) for row in part]
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        refused = [one for part in pool.map(create, [rows[i::20] for i in range(20)]) for one in part]
    assert (refused.count(True), Prediction.objects.count(), held(alice)) == (190, 10, 10 * UNKNOWN)


def test_f14_a_hold_belongs_to_a_prediction_or_is_not_there(alice, version, monkeypatch):
    """The process dies after the hold was placed: within the transaction, so it never was."""
    fund(alice, DOLLAR)

    def die(*_):
        raise SystemExit

    monkeypatch.setattr(event_log, "record_many", die)
    with pytest.raises(SystemExit):
        make_prediction(version)
    assert (held(alice), Hold.objects.count(), Prediction.objects.count()) == (0, 0, 0)


def test_f17_a_reached_limit_is_named_and_what_runs_goes_on(api, alice, body, version):
    fund(alice, DOLLAR)
    limits.set_limit(alice.pk, period="hour", limit_nanos=5 * UNKNOWN)
    running = [make_prediction(version) for _ in range(5)]
    for prediction in running:
        start(prediction)
    told = post_soon(api, "/v1/predictions", body).json()
    assert (told["title"], told["code"]) == ("Spend limit reached", "velocity_limit_reached")
    value = {"value": "0.00375", "used": "0.00375"}
    assert told["limit"] == {"scope": "account", "key": "", "period": "hour", **value}
    assert told["resolution"] == {"action": "raise_limit", "url": "/account/billing/limits"}
    assert told["resets_at"].endswith(":00:00.000000Z")
    assert Prediction.objects.filter(status=Status.PROCESSING).count() == 5


def _unwritten(version, account):
    """A prediction of the version by an account, as `prepare` makes it."""
    caller = caller_of(version.model.account)
    facts = lookup.find_facts(caller, version.pk)
    assert facts is not None
    row = prepare(caller, facts, NewPrediction({"text": "hi"}), now=timezone.now())
    row.account_id = account.pk
    return row
