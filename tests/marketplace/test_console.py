"""The operators' console: for staff only, every page renders, every write has a reason and an audit entry."""

import datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import audit, tokens
from accounts.models import Account, ApiToken, AuditEntry, User
from billing import credit
from billing.models import CreditBucket, Price, UsageRecord
from models_catalog import moderation
from models_catalog.models import Collection, Model, Report
from runner.models import Build, Host, Instance, Prediction
from runner.states import InstanceState, Status
from tests.accounts.factories import token_for
from tests.models_catalog.factories import VersionFactory
from tests.plugins.people import Person
from tests.runner.factories import end, make_prediction

KINDS = [
    Account, ApiToken, AuditEntry, Build, Collection, CreditBucket, Host, Instance, Model, Prediction, Price, Report,
    UsageRecord, User,
]  # fmt: skip
SECRET = "do-not-show-this"


@pytest.fixture
def everything(alice_at_home: Person, olga: Person) -> Model:
    """One row or more of each kind; the model."""
    version = VersionFactory.create(model__account=alice_at_home.account, model__name="echo")
    host = Host.objects.create(
        name="here", backend="process", cpu_millis=4000, memory_bytes=2**33, last_seen_at=timezone.now()
    )
    Instance.objects.create(
        host=host, version=version, hardware_id="cpu", state=InstanceState.READY, handle={"token": SECRET}
    )
    Build.objects.create(version=version, status=Build.Status.RUNNING)
    make_prediction(version, input={"text": SECRET})
    end(make_prediction(version, input={"text": SECRET}), output=SECRET)
    token_for(alice_at_home.account)
    Collection.objects.create(slug="letters", name="Letters").members.add(version.model)
    moderation.report(alice_at_home.caller, version.model, category="rights", text="is mine")
    credit.grant(alice_at_home.account, amount_nanos=10**10, reason="welcome", actor=olga.user)
    audit.record(olga.user, "test", "model/alice/echo", reason="to have one")
    return version.model


def page_of(row: Any, page: str = "change") -> str:
    """Address of a row's page."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{page}", args=[row.pk])


def list_of(kind: Any) -> str:
    """Address of a kind's list."""
    return reverse(f"admin:{kind._meta.app_label}_{kind._meta.model_name}_changelist")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_kinds_list_and_detail_render_without_secrets(everything: Model, olga: Person, kind: Any) -> None:
    row = kind.objects.first()
    for path in (list_of(kind), f"{list_of(kind)}?q=echo", page_of(row)):
        page = olga.get(path)
        assert page.status_code == 200, path
        text = page.content.decode()
        assert SECRET not in text
        for hidden in (ApiToken.objects.get().digest, everything.account.webhook_secret, olga.user.password):
            assert hidden not in text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_lists_take_no_query_per_row(
    everything: Model, olga: Person, django_assert_max_num_queries: Any, kind: Any
) -> None:
    with django_assert_max_num_queries(10):
        olga.get(list_of(kind))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_nothing_can_be_deleted_and_only_prices_credit_and_collections_added(
    everything: Model, olga: Person, kind: Any
) -> None:
    row = kind.objects.first()
    assert olga.post(page_of(row, "delete"), {"post": "yes"}).status_code == 403
    olga.post(list_of(kind), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert kind.objects.filter(pk=row.pk).exists()
    add = reverse(f"admin:{kind._meta.app_label}_{kind._meta.model_name}_add")
    assert olga.get(add).status_code == (200 if kind in (Price, Collection, CreditBucket) else 403)


PAGES = ["/admin/", "/admin/live", "/admin/models_catalog/report/", "/admin/accounts/account/"]


@pytest.mark.parametrize("path", PAGES)
def test_the_console_is_closed_to_everybody_else(
    everything: Model, alice_at_home: Person, visitor: Client, path: str
) -> None:
    for browser in (alice_at_home.browser, visitor):
        answer = browser.get(path, follow=True)
        assert "is mine" not in answer.content.decode()
        assert "Operators" not in answer.content.decode()
        assert answer.redirect_chain


def test_visitors_are_sent_to_the_ordinary_sign_in(visitor: Client) -> None:
    assert visitor.get("/admin/", follow=True).request["PATH_INFO"] == "/accounts/login/"


def test_ordinary_users_are_refused(alice_at_home: Person) -> None:
    assert alice_at_home.get("/admin/", follow=True).status_code == 403


def test_ordinary_users_cannot_act(everything: Model, alice_at_home: Person) -> None:
    alice_at_home.post(f"/admin/models_catalog/model/{everything.pk}/hide/", {"reason": "mine"}, follow=True)
    everything.refresh_from_db()
    assert not everything.is_hidden


@pytest.mark.parametrize("path", ["/admin/", "/admin/live"])
def test_the_first_page_and_its_updates_show_what_goes_on(everything: Model, olga: Person, path: str) -> None:
    page = olga.get(path).content.decode()
    for shown in ("alice/echo", "here", "Ready", "All instances of the model are busy", "is mine", "to have one"):
        assert shown in page, shown


# Page of a row and its action; what must be true afterwards; the audit entry's action.
WRITES: list[tuple[Any, str, Any, str]] = [
    (Model, "hide", lambda: Model.objects.get().is_hidden, "hide_model"),
    (Report, "dismiss", lambda: Report.objects.get().status == Report.Status.DISMISSED, "dismiss_report"),
    (Report, "hide", lambda: Model.objects.get().is_hidden, "hide_model"),
    (Account, "suspend", lambda: Account.objects.get(username="alice").is_suspended, "suspend"),
    (ApiToken, "revoke", lambda: ApiToken.objects.get().revoked_at is not None, "revoke_token"),
    (Host, "cordon", lambda: Host.objects.get().status == Host.Status.CORDONED, "cordon"),
    (Instance, "stop", lambda: True, "stop_instance"),
    (Collection, "delete-collection", lambda: not Collection.objects.exists(), "delete_collection"),
]


@pytest.mark.parametrize(
    ("kind", "action", "is_done", "recorded"), WRITES, ids=[f"{kind.__name__}-{action}" for kind, action, *_ in WRITES]
)
def test_each_write_asks_why_and_is_recorded(
    everything: Model,
    olga: Person,
    django_capture_on_commit_callbacks: Any,
    kind: Any,
    action: str,
    is_done: Any,
    recorded: str,
) -> None:
    row = kind.objects.get(username="alice") if kind is Account else kind.objects.first()
    path = f"{list_of(kind)}{row.pk}/{action}/"
    assert olga.get(path).status_code == 200
    before = AuditEntry.objects.count()
    assert olga.post(path, {"reason": " "}).status_code == 422
    assert AuditEntry.objects.count() == before
    with django_capture_on_commit_callbacks(execute=True):
        answer = olga.post(path, {"reason": "because of the rules"}, follow=True)
    assert answer.status_code == 200
    assert is_done()
    entry = AuditEntry.objects.first()
    assert entry is not None
    assert (entry.actor, entry.action, entry.reason) == (olga.user, recorded, "because of the rules")


def test_what_cannot_be_done_twice_is_said_and_not_recorded_twice(everything: Model, olga: Person) -> None:
    path = f"{list_of(Model)}{everything.pk}/hide/"
    olga.post(path, {"reason": "first"})
    again = olga.post(path, {"reason": "second"})
    assert again.status_code == 422
    assert "is already hidden" in again.content.decode()
    assert not AuditEntry.objects.filter(reason="second").exists()


@pytest.mark.parametrize(("kind", "do", "undo"), [(Model, "hide", "restore"), (Host, "cordon", "uncordon")])
def test_what_was_done_can_be_undone(everything: Model, olga: Person, kind: Any, do: str, undo: str) -> None:
    row = kind.objects.get()
    before = kind.objects.values().get()
    for action in (do, undo):
        olga.post(f"{list_of(kind)}{row.pk}/{action}/", {"reason": "test"})
    assert kind.objects.values().get() == before


def test_only_the_button_that_makes_sense_is_shown(everything: Model, olga: Person) -> None:
    address = f"{list_of(Model)}{everything.pk}"
    before = olga.get(page_of(everything)).content.decode()
    olga.post(f"{address}/hide/", {"reason": "test"})
    after = olga.get(page_of(everything)).content.decode()
    assert [f"{address}/{action}/" in page for page in (before, after) for action in ("hide", "restore")] == [
        True,
        False,
        False,
        True,
    ]


def test_nothing_is_offered_for_a_model_that_its_owner_deleted(everything: Model, olga: Person) -> None:
    Model.objects.filter(pk=everything.pk).update(deleted_at=everything.created_at)
    page = olga.get(page_of(everything)).content.decode()
    assert not any(f"{list_of(Model)}{everything.pk}/{action}/" in page for action in ("hide", "restore"))
    assert "Nobody (deleted)" in olga.get(list_of(Model)).content.decode()


def test_a_revoked_token_is_dead_for_its_owner(everything: Model, alice_at_home: Person, olga: Person) -> None:
    text = token_for(alice_at_home.account, "leaked")
    assert tokens.find_caller(text)
    token = ApiToken.objects.get(name="leaked")
    olga.post(f"{list_of(ApiToken)}{token.pk}/revoke/", {"reason": "leaked"})
    assert tokens.find_caller(text) is None


def test_a_price_is_added_with_a_reason(everything: Model, olga: Person) -> None:
    start = timezone.now() + datetime.timedelta(days=1)
    form = {
        "sku": "cpu",
        "rate_nanos": "123456",
        "effective_from_0": f"{start:%Y-%m-%d}",
        "effective_from_1": f"{start:%H:%M:%S}",
    }
    add = reverse("admin:billing_price_add")
    assert olga.post(add, form).status_code == 200
    assert not Price.objects.filter(rate_nanos=123456).exists()
    olga.post(add, {**form, "reason": "dearer power"})
    assert Price.objects.get(rate_nanos=123456).sku == "cpu"
    assert AuditEntry.objects.filter(action="add_price", reason="dearer power").count() == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"sku": "abacus"}, "no hardware of this SKU"), ({"effective_from_0": "2026-01-02"}, "start in the past")],
)
def test_a_senseless_price_is_refused(everything: Model, olga: Person, changed: dict[str, str], message: str) -> None:
    start = timezone.now() + datetime.timedelta(days=1)
    form = {"sku": "cpu", "rate_nanos": "1", "effective_from_0": f"{start:%Y-%m-%d}", "effective_from_1": "00:00:00"}
    page = olga.post(reverse("admin:billing_price_add"), {**form, "reason": "x", **changed}).content.decode()
    assert message in page.replace("&#x27;", "'")


def test_a_price_in_the_list_cannot_be_changed(everything: Model, olga: Person) -> None:
    price = Price.objects.filter(sku="cpu").get()
    assert olga.post(page_of(price), {"sku": "cpu", "rate_nanos": "1"}).status_code == 403
    assert Price.objects.get(pk=price.pk).rate_nanos == price.rate_nanos


def test_credit_is_granted_with_a_reason(everything: Model, olga: Person) -> None:
    add = reverse("admin:billing_creditbucket_add")
    form = {"username": "Alice", "dollars": "12.34"}
    assert olga.post(add, form).status_code == 200, "asks why"
    assert olga.post(add, {**form, "reason": "a trial"}).status_code == 302
    row = CreditBucket.objects.get(reason="a trial")
    assert (row.account, row.granted_nanos, row.created_by) == (everything.account, 12_340_000_000, olga.user)
    entry = AuditEntry.objects.get(action="grant_credit", reason="a trial")
    assert (entry.subject, entry.details) == ("account/alice", {"amount": "$12.34"})


@pytest.mark.parametrize(
    "wrong", [{"username": "nobody"}, {"dollars": "0"}, {"dollars": "-1"}, {"dollars": "1.234"}], ids=str
)
def test_a_grant_that_makes_no_sense_is_refused(everything: Model, olga: Person, wrong: dict[str, str]) -> None:
    form = {"username": "alice", "dollars": "1", "reason": "a trial", **wrong}
    assert olga.post(reverse("admin:billing_creditbucket_add"), form).status_code == 200
    assert not CreditBucket.objects.filter(reason="a trial").exists()


def test_a_collection_is_changed_with_a_reason(everything: Model, olga: Person) -> None:
    collection = Collection.objects.get()
    form = {"slug": "letters", "name": "All letters", "position": "1", "members": [everything.pk]}
    olga.post(page_of(collection), form)
    assert Collection.objects.get().name == "Letters"
    olga.post(page_of(collection), {**form, "reason": "clearer"})
    changed = Collection.objects.get()
    assert (changed.name, list(changed.members.all())) == ("All letters", [everything])
    assert AuditEntry.objects.filter(action="change_collection", reason="clearer").count() == 1


def test_a_collection_is_made_with_its_models(everything: Model, olga: Person) -> None:
    form = {"slug": "new", "name": "New", "position": "0", "members": [everything.pk], "reason": "asked for"}
    olga.post(reverse("admin:models_catalog_collection_add"), form)
    assert list(Collection.objects.get(slug="new").members.all()) == [everything]


def test_taking_a_model_down_cancels_what_waits(
    everything: Model, olga: Person, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        olga.post(f"{list_of(Model)}{everything.pk}/hide/", {"reason": "illegal"})
    assert not Prediction.objects.filter(status=Status.STARTING).exists()
