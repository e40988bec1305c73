"""Usage of a month: exact sums, whichever way they are cut."""

import datetime

from accounts import tokens
from billing import reports
from billing.models import UsageRecord
from tests.billing.factories import NOON, use
from tests.plugins.people import Person

DAY = datetime.timedelta(days=1)


def test_every_table_adds_up_to_the_same_total_to_the_last_nano(alice_at_home: Person) -> None:
    account = alice_at_home.account
    laptop, _ = tokens.issue(account, name="laptop", created_by=None)
    for number in range(30):
        use(
            account,
            predict_us=1_234_567 + number * 7,
            hardware=("cpu-small", "gpu-t4")[number % 2],
            model_name=f"alice/model-{number % 4}",
            occurred_at=NOON + number % 5 * DAY,
            token_id=laptop.pk if number % 3 else None,
        )
    month = reports.month_of_usage(alice_at_home.caller, "2026-11")
    exact = sum(UsageRecord.objects.values_list("amount_nanos", flat=True))
    for lines in (month.by_model, month.by_day, month.by_token):
        assert sum(line.amount_nanos for line in lines) == exact == month.total.amount_nanos
        assert sum(line.runs for line in lines) == 30
        assert sum(line.microseconds for line in lines) == month.total.microseconds


def test_one_second_of_a_small_cpu_costs_what_the_price_list_says(alice_at_home: Person) -> None:
    use(alice_at_home.account, predict_us=1_000_000)
    month = reports.month_of_usage(alice_at_home.caller, "2026-11")
    assert [(line.key, line.amount_nanos, line.runs) for line in month.by_model] == [("alice/echo", 25_000, 1)]


def test_other_accounts_and_other_months_are_left_out(alice_at_home: Person, stranger_at_home: Person) -> None:
    use(stranger_at_home.account)
    use(alice_at_home.account, occurred_at=datetime.datetime(2026, 10, 31, 23, 59, 59, tzinfo=datetime.UTC))
    assert reports.month_of_usage(alice_at_home.caller, "2026-11").total.runs == 0
    assert reports.month_of_usage(alice_at_home.caller, "2026-10").total.runs == 1
    assert reports.list_periods(alice_at_home.caller) == ["2026-10"]


def test_tokens_have_names_and_the_website_has_a_line(alice_at_home: Person) -> None:
    laptop, _ = tokens.issue(alice_at_home.account, name="laptop", created_by=None)
    use(alice_at_home.account, predict_us=2_000_000, token_id=laptop.pk)
    use(alice_at_home.account, predict_us=1_000_000, token_id=None)
    use(alice_at_home.account, predict_us=1, token_id=10**9)
    labels = [line.label for line in reports.month_of_usage(alice_at_home.caller, "2026-11").by_token]
    assert labels == [str(laptop), "From the website", f"Deleted token {10**9}"]
