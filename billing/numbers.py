"""Gapless numbers of documents: taken in the transaction that makes the document, so none is ever lost.

Source: billing.md 12.
"""

import datetime

from django.db import connection, transaction
from django.utils import timezone

# What a series is called, and how its numbers begin. Each counts from 1 in every year.
PREFIXES = {"invoice": "INV", "statement": "STM", "receipt": "REC", "creditnote": "CRN"}


def take_number(series: str, at: datetime.datetime | None = None) -> str:
    """The next number of a series in the caller's transaction: `INV-2026-000001`.

    Who takes one holds the series until the transaction ends: take it last. Raises KeyError for an unknown series.
    """
    assert transaction.get_connection().in_atomic_block, "a number belongs to its document's transaction"
    year = (at or timezone.now()).astimezone(datetime.UTC).year
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO billing_numbersequence AS s (name, last) VALUES (%s, 1)"
            " ON CONFLICT (name) DO UPDATE SET last = s.last + 1 RETURNING last",
            [f"{series}:{year}"],
        )
        return f"{PREFIXES[series]}-{year}-{cursor.fetchone()[0]:06d}"
