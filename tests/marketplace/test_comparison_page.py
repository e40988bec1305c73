"""What changed between two versions, as a page."""

import pytest

from tests.models_catalog.factories import VersionFactory, schema

REPEAT = {"type": "integer", "title": "Repeat", "default": 1, "maximum": 1000}


@pytest.fixture
def versions(alice_at_home):
    older = VersionFactory.create(
        model__account=alice_at_home.account,
        model__name="echo",
        openapi_schema=schema({"text": {"type": "string"}, "repeat": REPEAT}),
    )
    newer = VersionFactory.create(
        model=older.model, openapi_schema=schema({"text": {"type": "string"}, "repeat": {**REPEAT, "maximum": 100}})
    )
    return older, newer


def path(before, after):
    return f"/alice/echo/versions/{before}/compare/{after}"


def test_each_version_leads_to_its_comparison_with_the_one_before(visitor, versions):
    older, newer = versions
    VersionFactory.create(model=older.model, status="failed", latest=False)
    page = visitor.get("/alice/echo/versions").content.decode()
    assert page.count("/compare/") == 1
    assert path(older.pk, newer.pk) in page


def test_what_breaks_callers_is_said_in_words_and_shown_side_by_side(visitor, versions):
    older, newer = versions
    page = visitor.get(path(older.pk, newer.pk)).content.decode()
    assert "input.repeat: the maximum is 100 now (before: 1000)." in page
    assert "&quot;maximum&quot;: 1000" in page
    assert "&quot;title&quot;" not in page
    assert "breaks those who call" in visitor.get(path(newer.pk, older.pk)).content.decode()
    assert "The same inputs and output" in visitor.get(path(newer.pk, newer.pk)).content.decode()


def test_versions_that_one_may_not_see_are_missing(visitor, alice_at_home, versions):
    older, newer = versions
    type(newer).objects.filter(pk=newer.pk).update(is_private=True)
    assert visitor.get(path(older.pk, newer.pk)).status_code == 404
    assert alice_at_home.get(path(older.pk, newer.pk)).status_code == 200
    assert visitor.get(path(older.pk, "0" * 64)).status_code == 404
