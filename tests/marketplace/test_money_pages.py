"""Operators' pages about all money, the public prices, and a run's own bill."""

import datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing import appeals, posting, prices, refunds
from billing.models import BillingAccount, FaultAppeal, Price, UsageRecord
from models_catalog.models import Version
from runner.host_hours import online_lines
from runner.models import Host, Instance, Prediction
from runner.states import FaultClass, InstanceState, Status
from tests.billing.factories import NOON, fund, use
from tests.models_catalog.factories import VersionFactory
from tests.plugins.people import Person
from tests.runner.factories import end, make_prediction

MONTH = "/admin/money/revenue?month=2026-11"
HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def version(alice_at_home: Person) -> Version:
    return VersionFactory.create(model__account=alice_at_home.account, model__name="echo", model__visibility="public")


@pytest.fixture
def host(db: None) -> Host:
    return Host.objects.create(
        name="here", backend="process", cpu_millis=4000, memory_bytes=2**33, last_seen_at=timezone.now()
    )


def test_revenue_is_what_customers_were_charged_net_of_refunds(
    alice_at_home: Person, stranger_at_home: Person, olga: Person
) -> None:
    fund(alice_at_home.account, 10**10)
    _, given_back = (use(alice_at_home.account, predict_us=60_000_000) for _ in range(2))
    use(stranger_at_home.account, predict_us=120_000_000, model_name="alice/internal")
    posting.post_usage()
    refunds.refund_usage(UsageRecord.objects.get(subject=f"prediction/{given_back}"), reason="a bad disk")
    page = olga.get(MONTH).content.decode()
    assert "<strong>$0.001500</strong>" in page
    assert "alice/internal" in page, "beside it"
    assert "$0.003000" in page


def test_idle_machines_cost_what_their_time_would_have_sold_for(version: Version, host: Host, olga: Person) -> None:
    for hours in (1, 3):
        instance = Instance.objects.create(
            host=host, version=version, hardware_id="cpu-small", state=InstanceState.STOPPED,
            stopped_at=NOON + hours * HOUR,
        )  # fmt: skip
        Instance.objects.filter(pk=instance.pk).update(created_at=NOON)
    use(version.model.account, predict_us=3_600_000_000)
    posting.post_usage()
    [by_hardware], [by_model] = online_lines("2026-11")
    assert by_hardware.online_us == 4 * 3_600_000_000
    assert (by_hardware.sold_percent, by_model.key) == (25, "alice/echo")
    assert by_hardware.idle_nanos == 3 * 3600 * 25_000
    assert "−$0.36" in olga.get(MONTH).content.decode(), "an internal account's run brought nothing"


def test_an_instance_counts_in_each_month_with_its_part(version: Version, host: Host) -> None:
    instance = Instance.objects.create(
        host=host, version=version, hardware_id="cpu-small", state=InstanceState.STOPPED,
        stopped_at=datetime.datetime(2026, 11, 1, 2, tzinfo=datetime.UTC),
    )  # fmt: skip
    Instance.objects.filter(pk=instance.pk).update(created_at=datetime.datetime(2026, 10, 31, 23, tzinfo=datetime.UTC))
    assert [online_lines(month)[0][0].online_us for month in ("2026-10", "2026-11")] == [3_600_000_000, 7_200_000_000]
    assert online_lines("2026-09") == ([], [])


def test_books_that_add_up_and_books_that_do_not(alice_at_home: Person, olga: Person) -> None:
    fund(alice_at_home.account, 10**10)
    assert "funds" in olga.get("/admin/money/checks").content.decode()
    assert "0 differences" in olga.post("/admin/money/checks").content.decode()
    BillingAccount.objects.update(spendable_nanos=7)
    page = olga.post("/admin/money/checks").content.decode()
    assert "0 differences" not in page
    assert f"account/{alice_at_home.account.pk}" in page


@pytest.mark.parametrize("path", ["/admin/money/revenue", "/admin/money/checks"])
def test_these_are_for_operators_alone(alice_at_home: Person, visitor: Client, path: str) -> None:
    for browser in (alice_at_home.browser, visitor):
        assert browser.get(path).status_code == 302


def test_prices_and_rules_are_public(visitor: Client, version: Version) -> None:
    Price.objects.create(
        sku="model:alice/echo",
        meter="output_image",
        rate_nanos=40_000_000,
        per_units=1,
        effective_from=NOON - 99 * HOUR,
    )
    Price.objects.create(
        sku="model:alice/hidden", meter="output_image", rate_nanos=1, per_units=1, effective_from=NOON - 99 * HOUR
    )
    prices.forget()
    page = visitor.get("/pricing").content.decode()
    for shown in ("gpu-t4", "$0.000225", "$0.81", "alice/echo", "$0.04 per image", "A fault of ours", "nothing"):
        assert shown in page, shown
    assert "alice/hidden" not in page
    prices.forget()


def test_a_contract_price_is_shown_to_its_account_alone(visitor: Client, alice_at_home: Person) -> None:
    Price.objects.create(
        sku="gpu-t4", account=alice_at_home.account, rate_nanos=111_000, effective_from=NOON - 99 * HOUR
    )
    prices.forget()
    assert "$0.000111" in alice_at_home.get("/pricing").content.decode()
    assert "$0.000111" not in visitor.get("/pricing").content.decode()
    prices.forget()


def _failed(version: Version, fault: FaultClass) -> Prediction:
    return end(make_prediction(version), Status.FAILED, error="no", fault_class=fault, metrics={"predict_time": 1.0})


@pytest.mark.parametrize(
    ("fault", "said"),
    [(FaultClass.MODEL_ERROR, "The model stopped with an error"), (FaultClass.PLATFORM, "A fault of ours")],
)
def test_a_runs_page_says_by_which_rule_it_was_charged(
    version: Version, alice_at_home: Person, fault: FaultClass, said: str
) -> None:
    page = alice_at_home.get(f"/p/{_failed(version, fault).pk}").content.decode()
    assert said in page
    assert ("Not charged" in page) == (fault == FaultClass.PLATFORM)


def test_a_runs_bill_shows_lines_refunds_and_the_receipt(
    version: Version, alice_at_home: Person, stranger_at_home: Person
) -> None:
    fund(alice_at_home.account, 10**10)
    run = _failed(version, FaultClass.MODEL_ERROR)
    assert "pending" in alice_at_home.get(f"/p/{run.pk}").content.decode()
    posting.post_usage()
    refunds.refund_usage(UsageRecord.objects.get(subject=f"prediction/{run.pk}"), reason="a bad disk")
    page = alice_at_home.get(f"/p/{run.pk}").content.decode()
    for shown in ("per second", "Given back", "a bad disk", "refunded", "What it cost was given back"):
        assert shown in page, shown
    receipt = alice_at_home.get(f"/account/billing/runs/{run.pk}/receipt")
    assert receipt.status_code == 200
    assert len(receipt.json()["corrections"]) == 1
    assert stranger_at_home.get(f"/account/billing/runs/{run.pk}/receipt").status_code == 404


def test_a_verdict_is_appealed_once_and_the_answer_is_read_on_the_run(
    version: Version, alice_at_home: Person, stranger_at_home: Person, olga: Person
) -> None:
    fund(alice_at_home.account, 10**10)
    run = _failed(version, FaultClass.MODEL_ERROR)
    posting.post_usage()
    path, form = f"/account/billing/runs/{run.pk}/appeal", {"note": "the disk was full"}
    assert "Appeal this charge" in alice_at_home.get(f"/p/{run.pk}").content.decode()
    assert stranger_at_home.post(path, form).status_code == 404
    assert "Say why" in alice_at_home.post(path, {"note": " "}, follow=True).content.decode()
    page = alice_at_home.post(path, form, follow=True).content.decode()
    assert "Your appeal is sent." in page
    assert "Appeal this charge" not in page
    assert "an appeal for this run already" in alice_at_home.post(path, form, follow=True).content.decode()
    appeals.accept(olga.user, FaultAppeal.objects.get(), answer="You are right.")
    page = alice_at_home.get(f"/p/{run.pk}").content.decode()
    assert "You are right." in page
    assert "refunded" in page


def test_a_run_that_is_not_over_has_no_bill(version: Version, alice_at_home: Person) -> None:
    assert "bill-title" not in alice_at_home.get(f"/p/{make_prediction(version).pk}").content.decode()


def test_revenue_takes_the_same_few_queries_for_any_amount(
    alice_at_home: Person, olga: Person, django_assert_max_num_queries: Any
) -> None:
    fund(alice_at_home.account, 10**10)
    for number in range(6):
        use(alice_at_home.account, model_name=f"alice/model-{number}")
    posting.post_usage()
    with django_assert_max_num_queries(16):
        olga.get(MONTH)
