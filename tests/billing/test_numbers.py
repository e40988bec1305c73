"""Numbers of documents: no gap, no double."""

import datetime

import pytest
from django.db import transaction

from billing.numbers import take_number

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 11, 10, 12, tzinfo=datetime.UTC)


def test_numbers_count_up_in_each_series_and_year():
    next_year = NOON.replace(year=2027)
    with transaction.atomic():
        taken = [take_number("invoice", NOON), take_number("invoice", NOON), take_number("receipt", NOON)]
        assert [*taken, take_number("invoice", next_year)] == [
            "INV-2026-000001",
            "INV-2026-000002",
            "REC-2026-000001",
            "INV-2027-000001",
        ]


def test_a_document_that_was_not_made_leaves_no_gap():
    with pytest.raises(LookupError), transaction.atomic():
        take_number("invoice", NOON)
        raise LookupError
    with transaction.atomic():
        assert take_number("invoice", NOON) == "INV-2026-000001"


def test_an_unknown_series_is_refused():
    with pytest.raises(KeyError), transaction.atomic():
        take_number("poem", NOON)
