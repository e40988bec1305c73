"""Pages of a list by keyset: what comes after the last row seen, stable while rows are added before it.

A cursor is `<value>~<id>` of that row, in URL-safe base64: opaque to people, no secret, checked when it comes back.
"""

import base64
import binascii
import datetime
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from models_catalog.models import Model

PAGE_SIZE = 24
_COLUMNS = {"popular": "run_count", "newest": "created_at"}
SORTS = {"popular": "Most runs", "newest": "Newest"}
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ModelPage:
    """Models of one page, and the cursor of the next (empty on the last)."""

    models: list[Model]
    next_cursor: str


def page_of_models(models: QuerySet[Model], *, sort: str, cursor: str = "", size: int = PAGE_SIZE) -> ModelPage:
    """One page in one query. sort: a key of SORTS; a cursor that makes no sense starts at the beginning."""
    column = _COLUMNS[sort]
    if after := _decode(cursor, column):
        value, pk = after
        models = models.filter(Q(**{f"{column}__lt": value}) | Q(**{column: value, "pk__lt": pk}))
    rows = list(models.order_by(f"-{column}", "-pk")[: size + 1])
    shown = rows[:size]
    return ModelPage(shown, _encode(shown[-1], column) if len(rows) > size else "")


def _encode(model: Model, column: str) -> str:
    value = getattr(model, column)
    text = value.isoformat() if isinstance(value, datetime.datetime) else str(value)
    return base64.urlsafe_b64encode(f"{text}~{model.pk}".encode()).decode().rstrip("=")


def _decode(cursor: str, column: str) -> tuple[Any, int] | None:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        value, _, pk_text = text.partition("~")
        pk = int(pk_text)
        parsed: Any = datetime.datetime.fromisoformat(value) if column == "created_at" else int(value)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    if isinstance(parsed, datetime.datetime):
        return (parsed, pk) if parsed.tzinfo and 0 <= pk <= _LARGEST_ID else None
    return (parsed, pk) if 0 <= parsed <= _LARGEST_ID and 0 <= pk <= _LARGEST_ID else None
