"""A suspended account: its sessions, its sign-in, its tokens and its work end."""

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from accounts import suspension, tokens
from accounts.models import AuditEntry
from billing.models import UsageRecord
from marketplace.lib.problems import Conflict
from runner.models import Prediction
from runner.states import FaultClass, Status
from tests.accounts.factories import token_for
from tests.models_catalog.factories import VersionFactory
from tests.plugins.people import Person
from tests.runner.factories import make_prediction, start


@pytest.fixture
def suspended(alice_at_home: Person, olga: Person, django_capture_on_commit_callbacks: Any) -> Person:
    """Alice, with a used token and work under way, after Olga suspended her."""
    alice_at_home.token = token_for(alice_at_home.account)  # type: ignore[attr-defined]
    tokens.find_caller(alice_at_home.token)  # type: ignore[attr-defined]
    version = VersionFactory.create(model__account=alice_at_home.account)
    make_prediction(version)
    start(make_prediction(version))
    with django_capture_on_commit_callbacks(execute=True):
        suspension.suspend(olga.user, alice_at_home.account, reason="spam")
    return alice_at_home


def test_sessions_end(suspended: Person) -> None:
    assert suspended.get("/account/tokens").status_code == 302


def test_signing_in_is_refused_and_says_so(suspended: Person) -> None:
    cache.clear()
    visitor = Client()
    page = visitor.post("/accounts/login/", {"login": "alice", "password": "correct horse battery"}, follow=True)
    assert "This account is not active" in page.content.decode()
    assert "_auth_user_id" not in visitor.session


def test_tokens_are_refused_also_cached_ones(suspended: Person) -> None:
    assert tokens.find_caller(suspended.token) is None  # type: ignore[attr-defined]


def test_queued_and_running_predictions_are_canceled_and_cost_nothing(suspended: Person) -> None:
    ended = Prediction.objects.filter(account=suspended.account).values_list("status", "fault_class")
    assert list(ended) == [(Status.CANCELED, FaultClass.POLICY)] * 2
    assert list(UsageRecord.objects.values_list("amount_nanos", flat=True)) == [0, 0]


def test_models_and_profile_are_gone_for_others(suspended: Person, visitor: Client) -> None:
    assert visitor.get("/alice").status_code == 404
    assert "alice" not in visitor.get("/explore").content.decode()


def test_the_audit_log_says_who_and_why(suspended: Person, olga: Person) -> None:
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.subject, entry.reason) == (olga.user, "suspend", "account/alice", "spam")


def test_a_restored_account_works_as_before(suspended: Person, olga: Person) -> None:
    suspension.restore(olga.user, suspended.account, reason="was a mistake")
    assert tokens.find_caller(suspended.token) is not None  # type: ignore[attr-defined]
    assert suspended.get("/account/tokens").status_code == 200


def test_operators_cannot_suspend_themselves_or_twice(suspended: Person, olga: Person) -> None:
    for account in (olga.account, suspended.account):
        with pytest.raises(Conflict):
            suspension.suspend(olga.user, account, reason="again")
