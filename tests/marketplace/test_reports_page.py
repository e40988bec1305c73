"""Reporting a model."""

import pytest
from django.core.cache import cache
from django.test import Client

from marketplace.pages.reports import REPORTS_AN_HOUR
from models_catalog.models import Model, Report
from tests.models_catalog.factories import VersionFactory
from tests.plugins.people import Person

ILLEGAL = {"category": "illegal", "text": "see its readme"}


@pytest.fixture
def model(alice_at_home: Person) -> Model:
    """Alice's public model."""
    cache.clear()
    return VersionFactory.create(model__account=alice_at_home.account, model__name="echo").model


def test_a_visitor_may_report(model: Model, visitor: Client) -> None:
    answer = visitor.post("/alice/echo/report", ILLEGAL)
    report = Report.objects.get()
    assert answer["Location"] == "/alice/echo"
    assert (report.model, report.category, report.text, report.reporter) == (model, "illegal", "see its readme", None)


def test_a_signed_in_reporter_is_known_to_operators(model: Model, stranger_at_home: Person) -> None:
    stranger_at_home.post("/alice/echo/report", ILLEGAL)
    assert Report.objects.get().reporter == stranger_at_home.account


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({}, "Choose one of the reasons."),
        ({"category": "dull"}, "is not one of the available choices"),
        ({"category": "illegal", "text": "x" * 4001}, "at most 4000 characters"),
    ],
    ids=["empty", "unknown", "long"],
)
def test_what_is_wrong_is_said_beside_the_field(
    model: Model, visitor: Client, form: dict[str, str], message: str
) -> None:
    answer = visitor.post("/alice/echo/report", form)
    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert not Report.objects.exists()


def test_one_address_cannot_flood_the_operators(model: Model, visitor: Client) -> None:
    answers = [visitor.post("/alice/echo/report", ILLEGAL).status_code for _ in range(REPORTS_AN_HOUR + 1)]
    assert answers == [302] * REPORTS_AN_HOUR + [429]
    assert Report.objects.count() == REPORTS_AN_HOUR


def test_a_private_model_cannot_be_reported_by_who_cannot_see_it(model: Model, stranger_at_home: Person) -> None:
    Model.objects.update(visibility="private")
    assert stranger_at_home.post("/alice/echo/report", ILLEGAL).status_code == 404
    assert not Report.objects.exists()
