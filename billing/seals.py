"""Day seals: what was in the ledger on a day, as a hash that chains to the day before.  Source: billing.md 16.1.

Postings dated into a sealed day are refused, so a day that is recomputed later must give the same hash.
"""

import datetime
import hashlib
from collections.abc import Iterator
from decimal import Decimal

from django.db import connection, transaction

from billing.models import DaySeal, LedgerEntry, LedgerTxn
from billing.reconciliation import Difference, job

_WAIT = datetime.timedelta(hours=6)  # after a day's end, for what comes late
_CHECKED_DAYS = 7  # of each night; older days by `manage.py billing_check --all-seals`
_ONE_DAY = datetime.timedelta(days=1)
_CHUNK = 5000


def seal_days(now: datetime.datetime) -> int:
    """Seal each day that is over for six hours; how many. A day without postings is sealed too."""
    last_day, sealed = (now - _WAIT).astimezone(datetime.UTC).date() - _ONE_DAY, 0
    while (day := _next_day()) is not None and day <= last_day:
        with transaction.atomic():
            _wait_for_postings()
            before = DaySeal.objects.order_by("-day").first()
            if before is None or before.day < day:
                _contents(day, before.digest if before else "").save(force_insert=True)
                sealed += 1
    return sealed


def check(*, days: int | None) -> Iterator[Difference]:
    """Seals that the ledger no longer gives, or that don't continue the one before. days: the last ones; None: all."""
    seals = list(DaySeal.objects.order_by("-day")[: days + 1 if days is not None else None])
    for seal, before in zip(seals[:days], [*seals[1:], None], strict=False):
        found = _contents(seal.day, before.digest if before else "")
        if found.previous != seal.previous:
            yield Difference(f"day/{seal.day}", "does not continue the seal of the day before")
        elif (found.digest, found.txn_count, found.entry_count) != (seal.digest, seal.txn_count, seal.entry_count):
            yield Difference(
                f"day/{seal.day}",
                f"sealed {seal.txn_count} postings with {seal.entry_count} entries, debits {seal.debit_nanos}; "
                f"found {found.txn_count} with {found.entry_count}, debits {found.debit_nanos}",
            )


@job("seals")
def check_recent_seals() -> Iterator[Difference]:
    """The days of the last week are as they were sealed."""
    return check(days=_CHECKED_DAYS)


def _next_day() -> datetime.date | None:
    if last := DaySeal.objects.order_by("-day").first():
        return last.day + _ONE_DAY
    first = LedgerTxn.objects.order_by("effective_at").first()
    return first.effective_at.astimezone(datetime.UTC).date() if first else None


def _wait_for_postings() -> None:
    """Until those under way have committed; new ones wait for the seal and see it, as they look after their insert."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE billing_ledgertxn IN SHARE MODE")


def _contents(day: datetime.date, previous: str) -> DaySeal:
    start = datetime.datetime.combine(day, datetime.time(), datetime.UTC)
    entries = LedgerEntry.objects.filter(txn__effective_at__gte=start, txn__effective_at__lt=start + _ONE_DAY)
    digest, keys, count, debits = hashlib.sha256(previous.encode()), set[str](), 0, 0
    columns = ("txn__key", "txn__kind", "txn__currency", "txn__effective_at", "code", "amount_nanos")
    for key, kind, currency, effective_at, code, amount in (
        entries.order_by("txn__key", "code").values_list(*columns).iterator(chunk_size=_CHUNK)
    ):
        line = "\t".join((key, kind, currency, effective_at.isoformat(), code, str(amount)))
        digest.update(f"{line}\n".encode())
        keys.add(key)
        count += 1
        debits += max(0, amount)
    return DaySeal(
        day=day,
        txn_count=len(keys),
        entry_count=count,
        debit_nanos=Decimal(debits),
        previous=previous,
        digest=digest.hexdigest(),
    )
