"""Query parameters of the API. Unknown ones are ignored, wrong values named.

Source: replicate-api.md 1.3, 1.6, 1.8.
"""

import datetime
import re
from collections.abc import Mapping, Sequence

from django.utils.dateparse import parse_date, parse_datetime

from marketplace.lib.problems import FieldError, ValidationFailed

FULL_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*"  # `owner/name`, for `text`


def moment(query: Mapping[str, str], name: str) -> datetime.datetime | None:
    """An ISO 8601 date-time; without a zone it is UTC, a bare date is midnight. Raises ValidationFailed."""
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        # A raw `+` of the zone arrives as a blank.
        found = parse_datetime(text) or parse_datetime("+".join(text.rsplit(" ", 1))) or _midnight(text)
        # In UTC, because the database knows no zone of 16 hours or more.
        found = found and (found if found.tzinfo else found.replace(tzinfo=datetime.UTC)).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise ValidationFailed(
            [FieldError(f"?{name}", f"Expected a date-time like 2026-01-02T03:04:05Z, got {text[:50]}")]
        )
    return found


def _midnight(text: str) -> datetime.datetime | None:
    day = parse_date(text)
    return datetime.datetime.combine(day, datetime.time()) if day else None


def choice(query: Mapping[str, str], name: str, options: Sequence[str], default: str) -> str:
    """One of the options. Raises ValidationFailed."""
    value = query.get(name, "") or default
    if value not in options and value != default:
        raise ValidationFailed([FieldError(f"?{name}", f"Must be one of {', '.join(options)}, got {value[:50]}")])
    return value


def integer(query: Mapping[str, str], name: str, *, default: int, minimum: int, maximum: int) -> int:
    """A whole number within bounds. Raises ValidationFailed."""
    text = query.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20 and minimum <= int(text) <= maximum):
        raise ValidationFailed(
            [FieldError(f"?{name}", f"Expected an integer from {minimum} to {maximum}, got {text[:50]}")]
        )
    return int(text)


def text(query: Mapping[str, str], name: str, pattern: str, expected: str) -> str:
    """A text of a form; "" without one. expected: the form in words. Raises ValidationFailed."""
    value = query.get(name, "").strip()
    if value and not re.fullmatch(pattern, value):
        raise ValidationFailed([FieldError(f"?{name}", f"Expected {expected}, got {value[:50]}")])
    return value
