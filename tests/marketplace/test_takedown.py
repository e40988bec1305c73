"""Taking a model down: out of sight, not runnable, what ran of it stopped and not charged."""

from typing import Any

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from billing.models import UsageRecord
from marketplace import takedown
from marketplace.lib.problems import Conflict, NotFound
from models_catalog import lookup, moderation, publishing
from models_catalog.models import Model, Report, Version
from runner.engine.sweeps import end_overdue
from runner.models import Prediction
from runner.states import Status
from tests.models_catalog.factories import ModelFactory, VersionFactory
from tests.plugins.people import Person
from tests.runner.factories import end, make_prediction, start


@pytest.fixture
def version(alice_at_home: Person) -> Version:
    """Of Alice's public model, with facts in this process's cache."""
    version = VersionFactory.create(model__account=alice_at_home.account, model__name="echo")
    assert lookup.find_facts(alice_at_home.caller, version.pk)
    return version


@pytest.fixture
def take_down(olga: Person, django_capture_on_commit_callbacks: Any) -> Any:
    """Take a model down, what follows its commit included."""

    def go(model: Model) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            takedown.take_down(olga.user, model, reason="stolen weights")

    return go


def test_others_find_nothing_and_the_owner_reads_why(
    version: Version, take_down: Any, alice_at_home: Person, stranger_at_home: Person
) -> None:
    take_down(version.model)
    for caller in (None, stranger_at_home.caller):
        with pytest.raises(NotFound):
            lookup.get_model(caller, "alice", "echo")
    own = lookup.get_model(alice_at_home.caller, "alice", "echo")
    assert own.is_hidden
    assert own.hidden_reason == "stolen weights"


def test_nobody_can_run_it_not_even_from_a_warm_cache(
    version: Version, take_down: Any, alice_at_home: Person, stranger_at_home: Person
) -> None:
    take_down(version.model)
    assert lookup.find_facts(alice_at_home.caller, version.pk) is None
    assert lookup.find_facts(stranger_at_home.caller, version.pk) is None


def test_what_was_queued_or_running_is_canceled_free_of_charge(version: Version, take_down: Any) -> None:
    queued, running, ended = (make_prediction(version) for _ in range(3))
    start(running)
    end(ended)
    take_down(version.model)
    states = dict(Prediction.objects.values_list("pk", "status"))
    assert states == {queued.pk: Status.CANCELED, running.pk: Status.CANCELED, ended.pk: Status.SUCCEEDED}
    charged = UsageRecord.objects.filter(subject__in=[f"prediction/{p.pk}" for p in (queued, running)])
    assert set(charged.values_list("amount_nanos", flat=True)) <= {0}


def test_other_models_go_on(version: Version, take_down: Any, alice_at_home: Person) -> None:
    other = make_prediction(VersionFactory.create(model__account=alice_at_home.account))
    take_down(version.model)
    assert Prediction.objects.get(pk=other.pk).status == Status.STARTING


def test_a_model_put_back_can_be_seen_and_run_again(
    version: Version, take_down: Any, olga: Person, stranger_at_home: Person, django_capture_on_commit_callbacks: Any
) -> None:
    take_down(version.model)
    with django_capture_on_commit_callbacks(execute=True):
        takedown.put_back(olga.user, version.model, reason="licence shown")
    assert lookup.get_model(None, "alice", "echo").hidden_reason == ""
    assert lookup.find_facts(stranger_at_home.caller, version.pk)
    assert [(e.action, e.reason) for e in AuditEntry.objects.all()] == [
        ("restore_model", "licence shown"),
        ("hide_model", "stolen weights"),
    ]


def test_hiding_closes_the_open_reports(version: Version, take_down: Any, olga: Person) -> None:
    report = moderation.report(None, version.model, category="rights", text="")
    take_down(version.model)
    report.refresh_from_db()
    assert (report.status, report.decided_by) == (Report.Status.ACTED_ON, olga.user)


def test_a_decided_report_cannot_be_decided_again(version: Version, olga: Person) -> None:
    report = moderation.report(None, version.model, category="rights", text="")
    moderation.dismiss(olga.user, report, reason="is his own")
    with pytest.raises(Conflict):
        moderation.dismiss(olga.user, report, reason="again")
    assert AuditEntry.objects.get().details == {"report_id": report.pk}


def test_hiding_twice_and_restoring_what_is_seen_are_refused(version: Version, olga: Person) -> None:
    with pytest.raises(Conflict):
        moderation.restore(olga.user, version.model, reason="")
    moderation.hide(olga.user, version.model, reason="x")
    with pytest.raises(Conflict):
        moderation.hide(olga.user, version.model, reason="x")
    assert AuditEntry.objects.count() == 1


def test_the_models_page_is_gone_for_others_and_tells_the_owner(
    version: Version, take_down: Any, alice_at_home: Person, stranger_at_home: Person
) -> None:
    take_down(version.model)
    assert stranger_at_home.get("/alice/echo").status_code == 404
    assert "stolen weights" in alice_at_home.get("/alice/echo").content.decode()


def test_a_run_asked_for_from_the_page_is_refused(version: Version, take_down: Any, stranger_at_home: Person) -> None:
    def run() -> int:
        asked = {"version": version.pk, "input": {"text": "hi"}}
        return stranger_at_home.post("/web/predictions", asked, content_type="application/json").status_code

    before = run()
    take_down(version.model)
    assert (before // 100, run()) == (2, 404)
    assert Prediction.objects.count() == 1


def test_what_was_trained_with_its_code_stops_too(version: Version, take_down: Any, stranger_at_home: Person) -> None:
    mine = ModelFactory.create(account=stranger_at_home.account)
    trained = publishing.accept_trained("t" * 26, model=mine, trainer=version, weights="", created_by_id=None)
    running = make_prediction(trained)
    start(running)
    take_down(version.model)
    running.refresh_from_db()
    assert running.status == Status.CANCELED
    assert lookup.find_facts(stranger_at_home.caller, trained.pk) is None
    assert lookup.get_version(stranger_at_home.caller, mine, trained.pk) == trained  # it is still theirs


def test_what_waits_with_its_code_is_found_by_the_sweep(version: Version, stranger_at_home: Person) -> None:
    mine = ModelFactory.create(account=stranger_at_home.account)
    trained = publishing.accept_trained("u" * 26, model=mine, trainer=version, weights="", created_by_id=None)
    waiting, other = make_prediction(trained), make_prediction(VersionFactory.create())
    Model.objects.filter(pk=version.model_id).update(hidden_at=timezone.now())
    assert [row.pk for row in end_overdue()] == [waiting.pk]
    other.refresh_from_db()
    assert other.status == Status.STARTING
