"""Pages of usage: a month, and the records behind its numbers."""

import datetime
import re
from typing import Any

import pytest
from django.test import Client

from billing import record_lists
from billing.models import Meter, UsageRollup
from tests.billing.factories import NOON, use
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


@pytest.mark.parametrize("month", ["", "2026-13", "soon", "2026-11'--"])
def test_a_month_that_makes_no_sense_shows_this_one(alice_at_home: Person, month: str) -> None:
    assert alice_at_home.get("/account/usage", {"month": month}).status_code == 200


def test_the_page_takes_the_same_few_queries_for_any_amount_of_usage(
    alice_at_home: Person, django_assert_num_queries: Any
) -> None:
    for number in range(12):
        use(alice_at_home.account, model_name=f"alice/model-{number}", token_id=number)
    # session, user, account, months twice, unposted, three of roll-ups, tokens' and members' names, payer
    with django_assert_num_queries(11):
        alice_at_home.get("/account/usage?month=2026-11")


def test_each_number_leads_to_the_records_behind_it(alice_at_home: Person) -> None:
    kept = use(alice_at_home.account, model_name="alice/kept", token_id=7)
    other = use(alice_at_home.account, model_name="alice/other", occurred_at=NOON + datetime.timedelta(days=1))
    page = alice_at_home.get("/account/usage?month=2026-11").content.decode()
    for query, shown, hidden in (
        ("month=2026-11&model=alice/kept", kept, other),
        ("month=2026-11&token=7", kept, other),
        ("month=2026-11&token=none", other, kept),
        ("day=2026-11-10", kept, other),
    ):
        assert f"/account/billing/records?{query}".replace("&", "&amp;") in page
        records = alice_at_home.get(f"/account/billing/records?{query}").content.decode()
        assert f"/p/{shown}" in records
        assert f"/p/{hidden}" not in records


def test_records_of_others_are_not_shown(alice_at_home: Person, stranger_at_home: Person) -> None:
    use(alice_at_home.account)
    page = stranger_at_home.get("/account/billing/records").content.decode()
    assert "No records" in page
    assert "alice/echo" not in page


def test_many_records_come_in_pages_without_a_query_for_each(
    alice_at_home: Person, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_lists, "PAGE_SIZE", 3)
    ids = [use(alice_at_home.account) for _ in range(5)]
    with django_assert_num_queries(5):  # session, user, account, records, payer
        first = alice_at_home.get("/account/billing/records?month=2026-11").content.decode()
    address = re.search(r'rel="next" href="([^"]+)"', first)
    assert address
    second = alice_at_home.get("/account/billing/records" + address[1].replace("&amp;", "&")).content.decode()
    assert [f"/p/{run}" in first for run in ids] == [False, False, True, True, True]
    assert [f"/p/{run}" in second for run in ids] == [True, True, False, False, False]


@pytest.mark.parametrize(
    "query", ["day=soon", "day=0000-00-00", "month=x", "token=x", "member=99999999999999999999", "before=-1"]
)
def test_filters_that_make_no_sense_are_left_out(alice_at_home: Person, query: str) -> None:
    run = use(alice_at_home.account)
    assert f"/p/{run}" in alice_at_home.get(f"/account/billing/records?{query}").content.decode()


@pytest.mark.parametrize("path", ["/account/usage", "/account/billing/records", "/account/billing"])
def test_who_is_not_signed_in_is_asked_to(visitor: Client, path: str) -> None:
    answer = visitor.get(path)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/accounts/login/?next={path}")


def test_what_is_posted_and_what_is_not_make_one_month(alice_at_home: Person) -> None:
    use(alice_at_home.account, predict_us=29_000_000)
    UsageRollup.objects.create(
        account=alice_at_home.account, day=NOON.date(), model_name="alice/echo", version_id="v", hardware="cpu-small",
        meter=Meter.COMPUTE_TIME, quantity=1_000_000, runs=1, gross_nanos=25_000, amount_nanos=25_000,
    )  # fmt: skip
    page = alice_at_home.get("/account/usage?month=2026-11").content.decode()
    assert "$0.000750" in page
    assert "30.0 s" in page
