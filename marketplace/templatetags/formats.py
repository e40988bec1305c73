"""How money, durations and counts read on every page: one filter each."""

import datetime

from django import template
from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from billing import wording
from billing.models import InvoiceLine, Price, UsageRecord
from billing.money import NANOS_PER_CENT, as_decimal_string, in_words

register = template.Library()
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "min"))


@register.filter
def money(nanos: int | None) -> str:
    """Nano-dollars in words: `$1.25`, `$0.000725`; nothing for None."""
    return "" if nanos is None else in_words(nanos)


@register.filter
def exactly(nanos: int) -> str:
    """To the nano-dollar: `$0.000001378`."""
    return f"{'−' if nanos < 0 else ''}${as_decimal_string(abs(nanos))}"


@register.filter
def meter(name: str) -> str:
    """`Compute time`."""
    return wording.meter_in_words(name)


@register.filter
def given_back(nanos: int) -> str:
    """What a correction takes off, as a positive amount."""
    return in_words(-nanos)


@register.filter
def cents(amount: int | None) -> str:
    """Cents in words: `$12.30`; nothing for None."""
    return "" if amount is None else in_words(amount * NANOS_PER_CENT)


@register.filter
def quantity(line: UsageRecord | InvoiceLine) -> str:
    """How much a record or an invoice's line counts, in its meter's unit: `1.235 s`, `3 images`."""
    return "" if line.quantity is None else wording.quantity_in_words(line.quantity, line.meter)


@register.filter
def unit_price(price: Price) -> str:
    """`$0.000225 per second`."""
    return wording.price_in_words(price)


@register.filter
def with_code(text: str) -> SafeString:
    """What stands between backticks as code; all else is escaped."""
    parts = ((f"<code>{escape(part)}</code>" if is_code else escape(part)) for part, is_code in _by_backticks(text))
    return mark_safe("".join(parts))  # noqa: S308 - each part is escaped


def _by_backticks(text: str) -> list[tuple[str, bool]]:
    return [(part, index % 2 == 1) for index, part in enumerate(text.split("`"))]


@register.filter
def duration(seconds: float | None) -> str:
    """`840 ms`, `12.4 s`, `3 min 05 s`.  Source: product-ux.md 0.4."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"


@register.filter
def ago(moment: datetime.datetime | None) -> str:
    """`just now`, `3 min ago`, `5 days ago`; a date after a month.  Source: product-ux.md 0.4."""
    if moment is None:
        return ""
    seconds = (timezone.now() - moment).total_seconds()
    if seconds > 30 * 86_400:
        return f"{moment.day} {moment:%b %Y}"
    for size, unit in _UNITS:
        if seconds >= size:
            number = int(seconds // size)
            return f"{number} {unit}{'s' if number > 1 and unit != 'min' else ''} ago"
    return "just now"


@register.filter
def count(number: int | None) -> str:
    """`1,234`, `12.3k`, `4.1M`.  Source: product-ux.md 0.4."""
    if number is None:
        return ""
    if number < 10_000:
        return f"{number:,}"
    if number < 1_000_000:
        return f"{number / 1000:.1f}k"
    return f"{number / 1_000_000:.1f}M"


@register.filter
def bytes_in_words(size: int | None) -> str:
    """`12 kB`, `3.4 MB`: multiples of 1000."""
    if size is None:
        return ""
    if size < 1000:
        return f"{size} B"
    for unit, limit in (("kB", 10**6), ("MB", 10**9)):
        if size < limit:
            return f"{size * 1000 / limit:.1f} {unit}"
    return f"{size / 10**9:.1f} GB"
