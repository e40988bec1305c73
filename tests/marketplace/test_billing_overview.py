"""The first page about money says what there is, what is spent, and what is wrong."""

import datetime
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Account
from billing.models import BillingAccount, CreditBucket, Dispute, Hold, Invoice, TopUp
from billing.overview import overview
from runner.models import Prediction
from runner.running_costs import running_work
from tests.billing.factories import fund, use
from tests.models_catalog.factories import VersionFactory
from tests.plugins.people import Person
from tests.runner.factories import make_prediction, start

NOW = datetime.datetime(2026, 11, 10, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
MINUTE_US = 60_000_000  # $0.0015 on cpu-small


def page_of(person: Person) -> str:
    return str(person.get("/account/billing").content.decode())


def test_an_internal_account_is_told_that_nothing_is_charged(alice_at_home: Person) -> None:
    page = page_of(alice_at_home)
    assert "metered and not charged" in page
    assert "Available" not in page
    assert not BillingAccount.objects.filter(account=alice_at_home.account).exists(), "looking writes nothing"


def test_without_stripe_it_says_who_gives_credit(alice_at_home: Person, settings: Any) -> None:
    fund(alice_at_home.account, 12_340_000_000)
    assert "an operator grants credit" in page_of(alice_at_home)
    settings.STRIPE_SECRET_KEY = "sk_test_x"
    assert "an operator grants credit" not in page_of(alice_at_home)


def test_balance_holds_and_buckets_are_shown(alice_at_home: Person) -> None:
    fund(alice_at_home.account, 12_340_000_000)
    Hold.objects.create(subject="prediction/x", account=alice_at_home.account, amount_nanos=340_000_000)
    BillingAccount.objects.filter(account=alice_at_home.account).update(held_nanos=340_000_000)
    page = page_of(alice_at_home)
    for shown in ("$12.34", "$0.34", "$12.00", "1 piece of accepted work", "a trial"):
        assert shown in page, shown


def test_others_see_nothing_of_it(alice_at_home: Person, stranger_at_home: Person) -> None:
    fund(alice_at_home.account, 12_340_000_000)
    assert "$12.34" not in page_of(stranger_at_home)


def test_burn_rate_and_forecast_come_from_the_last_week(alice_at_home: Person) -> None:
    account = alice_at_home.account
    fund(account, 100_000_000)
    for days in (0, 1, 3, 8):
        use(account, predict_us=MINUTE_US, occurred_at=NOW - days * DAY)
    seen = overview(BillingAccount.objects.get(account=account), now=NOW)
    assert seen.month_nanos == 4 * 1_500_000
    assert seen.burn_nanos == 3 * 1_500_000 // 7
    assert seen.forecast_nanos == seen.month_nanos + 20 * seen.burn_nanos
    assert seen.available_nanos == 100_000_000 - 4 * 1_500_000, "what is not posted yet counts"
    assert seen.days_left == seen.available_nanos // seen.burn_nanos


def test_who_began_yesterday_has_a_rate_of_two_days(alice_at_home: Person) -> None:
    use(alice_at_home.account, predict_us=MINUTE_US, occurred_at=NOW - DAY)
    seen = overview(BillingAccount(account=alice_at_home.account), now=NOW)
    assert seen.burn_nanos == 1_500_000 // 2
    assert seen.days_left is None, "nothing limits an internal account"


def test_last_months_usage_is_not_this_months(alice_at_home: Person) -> None:
    use(alice_at_home.account, occurred_at=NOW - 10 * DAY)
    seen = overview(BillingAccount(account=alice_at_home.account), now=NOW)
    assert (seen.month_nanos, seen.burn_nanos, seen.forecast_nanos) == (0, 0, 0)


def test_running_work_counts_before_it_ends(alice_at_home: Person) -> None:
    version = VersionFactory.create(model__account=alice_at_home.account, model__name="echo")
    running = make_prediction(version)
    start(running)
    make_prediction(version)
    since = timezone.now() - datetime.timedelta(hours=1)
    Prediction.objects.filter(pk=running.pk).update(started_at=since)
    work = running_work(alice_at_home.account.pk, now=since + datetime.timedelta(hours=1))
    assert (work.running, work.waiting) == (1, 1)
    assert work.amount_nanos == 3600 * running.price.rate_nanos
    assert "1 run</a> under way" in page_of(alice_at_home).replace("run under way</a>", "run</a> under way")


def _used_up(account: Account) -> None:
    fund(account, 0)


def _restricted(account: Account) -> None:
    fund(account, 10**9)
    BillingAccount.objects.filter(account=account).update(status=BillingAccount.Status.RESTRICTED)


def _declined(account: Account) -> None:
    fund(account, 10**9)
    BillingAccount.objects.filter(account=account).update(reload_note="The card was declined.")


def _waits_for_the_bank(account: Account) -> None:
    TopUp.objects.create(
        account=account, source=TopUp.Source.AUTO_RELOAD, amount_cents=2500, state=TopUp.State.REQUIRES_ACTION
    )


def _disputed(account: Account) -> None:
    Dispute.objects.create(stripe_id="dp_1", account=account, amount_cents=700, status="x", opened_at=timezone.now())


def _past_due(account: Account) -> None:
    Invoice.objects.create(
        account=account, kind=Invoice.Kind.MONTHLY, number="2026-7", period="2026-10", first_seq=1, last_seq=2,
        total_cents=4200, state=Invoice.State.PAST_DUE, hosted_url="https://pay.example.test/1",
    )  # fmt: skip


def _expires(account: Account) -> None:
    fund(account, 10**9)
    CreditBucket.objects.update(expires_at=timezone.now() + 7 * DAY)


@pytest.mark.parametrize(
    ("arrange", "words"),
    [
        (_used_up, ["All credit is used up.", "Nothing new runs until an operator grants more."]),
        (_restricted, ["This account is restricted."]),
        (_declined, ["Auto-reload was turned off.", "The card was declined."]),
        (_waits_for_the_bank, ["A payment waits for you.", "confirm $25.00"]),
        (_disputed, ["A payment is disputed.", "$7.00"]),
        (_past_due, ["Invoice 2026-7 is past due.", "$42.00", "https://pay.example.test/1"]),
        (_expires, ["Credit expires on", "$1.00 of promo credit"]),
    ],
    ids=lambda case: case.__name__ if callable(case) else "",
)
def test_what_is_wrong_is_said_with_what_lifts_it(alice_at_home: Person, arrange: Any, words: list[str]) -> None:
    arrange(alice_at_home.account)
    page = page_of(alice_at_home)
    for shown in words:
        assert shown in page, shown


def test_all_is_well_says_nothing(alice_at_home: Person, settings: Any) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_x"
    fund(alice_at_home.account, 10**9)
    assert "banner" not in page_of(alice_at_home)


def test_the_page_takes_the_same_few_queries_for_any_amount(
    alice_at_home: Person, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        fund(alice_at_home.account, 10**9)
        use(alice_at_home.account)
    with django_assert_max_num_queries(17):
        page_of(alice_at_home)
