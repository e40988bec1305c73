"""The usage page."""

import pytest

from tests.billing.factories import fund, use
from tests.plugins.people import Person


def test_the_page_shows_the_month_in_words_and_links_to_the_runs(alice_at_home: Person) -> None:
    use(alice_at_home.account, predict_us=29_000_000)
    page = alice_at_home.get("/account/usage?month=2026-11").content.decode()
    assert "$0.000725" in page
    assert "29.0 s" in page
    assert "month=2026-11&amp;model=alice/echo" in page


def test_a_stranger_sees_nothing_of_it(alice_at_home: Person, stranger_at_home: Person) -> None:
    use(alice_at_home.account)
    page = stranger_at_home.get("/account/usage?month=2026-11").content.decode()
    assert "No usage in November 2026" in page
    assert "alice/echo" not in page


def test_credit_is_shown_where_any_was_granted(alice_at_home: Person) -> None:
    assert "Credit left" not in alice_at_home.get("/account/usage").content.decode()
    fund(alice_at_home.account, 12_340_000_000)
    page = alice_at_home.get("/account/billing", follow=True).content.decode()
    assert "Credit left" in page
    assert "$12.34" in page
    assert "used up" not in page


def test_who_has_used_it_up_is_told(alice_at_home: Person) -> None:
    fund(alice_at_home.account, 0)
    assert "All credit is used up" in alice_at_home.get("/account/usage").content.decode()


@pytest.mark.parametrize("month", ["", "2026-13", "soon", "2026-11'--"])
def test_a_month_that_makes_no_sense_shows_this_one(alice_at_home: Person, month: str) -> None:
    assert alice_at_home.get("/account/usage", {"month": month}).status_code == 200


def test_the_page_takes_the_same_few_queries_for_any_amount_of_usage(
    alice_at_home: Person, django_assert_num_queries: object
) -> None:
    for number in range(12):
        use(alice_at_home.account, model_name=f"alice/model-{number}", token_id=number)
    # session, user, account, grants, months, three tables, tokens' names
    with django_assert_num_queries(9):  # type: ignore[operator]
        alice_at_home.get("/account/usage?month=2026-11")
