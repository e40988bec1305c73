"""From a line of the usage page to its runs."""

import datetime

import pytest
from django.http import QueryDict

from accounts import tokens
from runner.models import Prediction
from runner.usage_filters import narrowed
from tests.models_catalog.factories import VersionFactory
from tests.plugins.people import Person
from tests.runner.factories import end, make_prediction

LAST_MOMENT = datetime.datetime(2026, 10, 31, 23, 59, 59, 999999, tzinfo=datetime.UTC)


@pytest.fixture
def token_id(alice_at_home: Person) -> int:
    """Of Alice's token; with a run of hers in October by it, and one in November by the website."""
    token, _ = tokens.issue(alice_at_home.account, name="laptop", created_by=None)
    version = VersionFactory.create(model__account=alice_at_home.account)
    october, november = end(make_prediction(version)), end(make_prediction(version))
    Prediction.objects.filter(pk=october.pk).update(completed_at=LAST_MOMENT, token=token)
    Prediction.objects.filter(pk=november.pk).update(completed_at=LAST_MOMENT + datetime.timedelta(microseconds=1))
    return token.pk


def months(query: str) -> list[int]:
    """Months in which the chosen runs ended."""
    chosen = narrowed(Prediction.objects.order_by("completed_at"), QueryDict(query)).predictions
    return [row.completed_at.month for row in chosen if row.completed_at]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("month=2026-10", [10]),
        ("month=2026-11", [11]),
        ("day=2026-10-31", [10]),
        ("day=2026-11-01", [11]),
        ("day=2026-10-30", []),
        ("token=none", [11]),
        ("month=2026-10&token=none", []),
        ("", [10, 11]),
        ("month=2026-13&token=x&day=", [10, 11]),
        ("day=9999-12-31&token=99999999999999999999", [10, 11]),
    ],
)
def test_runs_are_those_that_the_line_counted(token_id: int, query: str, expected: list[int]) -> None:
    assert months(query) == expected


def test_a_tokens_runs_are_found_by_its_id(token_id: int) -> None:
    assert months(f"token={token_id}") == [10]


def test_links_and_words_carry_what_was_asked(token_id: int) -> None:
    found = narrowed(Prediction.objects.all(), QueryDict("month=2026-10&token=none&model=x"))
    assert (found.query, found.words) == ("month=2026-10&token=none", "ended in October 2026 (UTC), from the website")


def test_the_dashboard_says_what_it_shows(token_id: int, alice_at_home: Person) -> None:
    page = alice_at_home.get("/dashboard?month=2026-10").content.decode()
    assert "Only those ended in October 2026 (UTC)" in page
