"""The page of spend limits, and what others say of one that is reached."""

from typing import Any

import pytest

from accounts import tokens
from billing import limits
from billing.models import BillingAccount, SpendLimit
from tests.billing.factories import fund, use
from tests.plugins.people import Person

PATH = "/account/billing/limits"
DOLLAR = 1_000_000_000
FORM = {"subject": "account", "period": "month", "amount": "100", "is_hard": "on"}


def test_a_limit_is_set_shown_changed_and_removed(alice_at_home: Person) -> None:
    fund(alice_at_home.account, 100 * DOLLAR)
    assert "The limit is set." in alice_at_home.post(PATH, FORM, follow=True).content.decode()
    alice_at_home.post(PATH, {**FORM, "amount": "$1,250.50"})
    limit = SpendLimit.objects.get()
    assert (limit.limit_nanos, limit.is_hard) == (1_250_500_000_000, True)
    assert "$1,250.50" in alice_at_home.get(PATH).content.decode()
    alice_at_home.post(f"{PATH}/{limit.pk}/remove")
    assert not SpendLimit.objects.exists()


def test_a_limit_may_be_on_a_token_of_ones_own_and_only_warn(alice_at_home: Person, stranger_at_home: Person) -> None:
    token, _ = tokens.issue(alice_at_home.account, name="laptop", created_by=None)
    form = {**FORM, "subject": f"token:{token.pk}", "is_hard": ""}
    page = alice_at_home.post(PATH, form, follow=True).content.decode()
    assert "Token laptop" in page
    assert "it only warns" in page
    assert stranger_at_home.post(PATH, form).status_code == 422, "a token of somebody else's"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"amount": "much"}, "Enter a number"),
        ({"amount": "-1"}, "greater than or equal to 0"),
        ({"amount": "9999999999"}, "at most a billion dollars"),
        ({"period": "year"}, "Select a valid choice"),
        ({"subject": "token:7"}, "Select a valid choice"),
    ],
)
def test_what_makes_no_sense_is_said_and_the_form_is_kept(
    alice_at_home: Person, wrong: dict[str, str], said: str
) -> None:
    answer = alice_at_home.post(PATH, {**FORM, **wrong})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert said in page
    assert f'value="{({**FORM, **wrong})["amount"]}"' in page
    assert not SpendLimit.objects.exists()


def test_somebody_elses_limit_is_not_found(alice_at_home: Person, stranger_at_home: Person) -> None:
    limit = limits.set_limit(alice_at_home.account.pk, period="day", limit_nanos=DOLLAR)
    assert stranger_at_home.post(f"{PATH}/{limit.pk}/remove").status_code == 404
    assert "$1.00" not in stranger_at_home.get(PATH).content.decode()


def test_whether_running_work_stops_is_chosen(alice_at_home: Person) -> None:
    for chosen in (True, False):
        alice_at_home.post(f"{PATH}/stopping", {"stops": "on"} if chosen else {})
        assert BillingAccount.objects.get().stops_at_limit is chosen


def test_a_reached_limit_is_named_where_money_is_looked_at_and_bought(alice_at_home: Person) -> None:
    fund(alice_at_home.account, 100 * DOLLAR)
    limits.set_limit(alice_at_home.account.pk, period="month", limit_nanos=0)
    for path in ("/account/billing", "/account/billing/credit"):
        page = alice_at_home.get(path).content.decode()
        assert "The limit of $0.00 a month for this account" in page
        assert "credit does not change that" in page
        assert PATH in page


def test_the_page_takes_few_queries_for_any_number_of_limits(
    alice_at_home: Person, django_assert_max_num_queries: Any
) -> None:
    use(alice_at_home.account)
    for number in range(4):
        token, _ = tokens.issue(alice_at_home.account, name=str(number), created_by=None)
        limits.set_limit(
            alice_at_home.account.pk, scope="token", scope_key=str(token.pk), period="day", limit_nanos=DOLLAR
        )
    alice_at_home.get(PATH)  # makes the period's counters
    with django_assert_max_num_queries(16):
        alice_at_home.get(PATH)
