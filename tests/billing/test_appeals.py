"""An account may appeal against a run's verdict, once; an operator refunds it or says why not."""

import pytest

from billing import appeals, posting
from billing.models import FaultAppeal, UsageRecord
from marketplace.lib.problems import Conflict
from tests.billing.factories import fund, use

NOTE = {"note": "It gave nothing."}


@pytest.fixture
def run(alice):
    fund(alice, 1_000_000_000)
    return use(alice, fault_class="model_error")


@pytest.fixture
def appeal(api, run):
    answer = api.post(f"/v1/predictions/{run}/appeal", NOTE)
    assert answer.status_code == 201, answer.text
    return FaultAppeal.objects.get()


def charged(run):
    return sum(UsageRecord.objects.filter(subject=f"prediction/{run}").values_list("amount_nanos", flat=True))


def test_it_is_answered_as_it_stands(api, run, appeal):
    found = api.get(f"/v1/predictions/{run}/appeal").json()
    assert (found["prediction"], found["state"], found["note"], found["answer"]) == (run, "open", NOTE["note"], None)


def test_there_is_one_for_each_run(api, run, appeal):
    assert api.post(f"/v1/predictions/{run}/appeal", NOTE).status_code == 409


def test_nobody_appeals_for_others(stranger_api, run):
    assert stranger_api.post(f"/v1/predictions/{run}/appeal", NOTE).status_code == 404
    assert stranger_api.get(f"/v1/predictions/{run}/appeal").status_code == 404


@pytest.mark.parametrize("body", [{}, {"note": ""}, {"note": 7}, {"note": "x" * 2001}])
def test_it_needs_a_note(api, run, body):
    answer = api.post(f"/v1/predictions/{run}/appeal", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/note")


def test_an_accepted_one_refunds_the_run_once(run, appeal, olga):
    posting.post_usage()
    appeals.accept(olga.user, appeal, answer="A damaged disk.")
    appeal.refresh_from_db()
    assert (charged(run), appeal.state, appeal.answer) == (0, "accepted", "A damaged disk.")
    with pytest.raises(Conflict):
        appeals.reject(olga.user, appeal, answer="Or not.")
    assert UsageRecord.objects.count() == 2


def test_a_rejected_one_changes_no_charge(run, appeal, olga):
    appeals.reject(olga.user, appeal, answer="The input was empty.")
    appeal.refresh_from_db()
    assert (charged(run), appeal.state, appeal.answer) == (25_000, "rejected", "The input was empty.")


def test_operators_decide_in_the_console(run, appeal, olga):
    page = f"/admin/billing/faultappeal/{appeal.pk.replace('/', '_2F')}"
    assert olga.post(f"{page}/accept/", {"reason": "Ours."}, follow=True).status_code == 200
    assert charged(run) == 0
