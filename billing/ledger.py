"""The one writer of the ledger: balanced postings, each once, with the balances that follow from them.

Codes: a customer's ledger account is `kind:account id` (`wallet:12`), the platform's are plain (`revenue`).
Source: billing.md 6.
"""

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from billing.models import DaySeal, LedgerBalance, LedgerEntry, LedgerTxn
from billing.money import Nanos
from billing.postings import TEMPLATES

SHARDS = 16  # rows of each platform account's balance
_SPENDABLE = frozenset({"wallet", "promo"})
_OWED = frozenset({"unbilled", "receivable"})


class PostingRefused(Exception):
    """Entries that don't balance, or that this kind of posting may not have. A mistake of the program's."""


class PostingConflict(Exception):
    """The key was posted before with other content; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """amount_nanos: debit above zero, credit below. Entries of zero are left out of a posting."""

    code: str
    amount_nanos: int

    @property
    def kind(self) -> str:
        """`wallet` of `wallet:12`."""
        return self.code.partition(":")[0]

    @property
    def account_id(self) -> int | None:
        """Whose it is; None for the platform's."""
        _, _, number = self.code.partition(":")
        return int(number) if number else None


def post(
    key: str,
    kind: str,
    entries: Sequence[Entry],
    *,
    effective_at: datetime.datetime | None = None,
    currency: str = "usd",
    meta: Mapping[str, Any] | None = None,
    corrects: LedgerTxn | None = None,
) -> tuple[LedgerTxn, bool]:
    """Write one posting in the caller's transaction; (it, True), or (the one of this key that is there, False).

    Locks the customers' billing accounts, then balances in the order of their codes, so that postings wait for each
    other and never block each other. Raises PostingRefused, PostingConflict.  Source: billing.md 6.1.
    """
    assert transaction.get_connection().in_atomic_block, "a posting belongs to its cause's transaction"
    merged = _merged(kind, entries)
    effective_at = effective_at or timezone.now()
    digest = _hash(kind, currency, merged)
    txn = _insert_txn(key, kind, currency, effective_at, digest, dict(meta or {}), corrects)
    if txn is None:
        found = LedgerTxn.objects.get(key=key)
        if found.entries_hash != digest:
            raise PostingConflict(f"{key} was posted with other content")
        return found, False
    _refuse_sealed(effective_at)  # after the insert, which waits for a seal that is being made
    _move_funds(merged)
    LedgerEntry.objects.bulk_create(
        LedgerEntry(txn=txn, code=entry.code, amount_nanos=entry.amount_nanos, seq=seq)
        for entry, seq in _move_balances(merged, currency)
    )
    return txn, True


def reverse(txn: LedgerTxn, *, kind: str, key: str = "") -> tuple[LedgerTxn, bool]:
    """Post the opposite of a posting, once. key: the reversal's; `rev:` and the posting's own without one.

    Source: billing.md 6.3, 6.4.
    """
    entries = [Entry(entry.code, -entry.amount_nanos) for entry in txn.entries.all()]
    return post(key or f"rev:{txn.key}", kind, entries, currency=txn.currency, corrects=txn)


def posted_so_far(prefix: str, code: str) -> tuple[int, Nanos]:
    """How many postings have keys that begin so, and what they put on a ledger account together."""
    earlier = LedgerTxn.objects.filter(key__startswith=prefix)
    entries = LedgerEntry.objects.filter(txn__in=earlier, code=code)
    return earlier.count(), Nanos(int(entries.aggregate(total=Sum("amount_nanos", default=0))["total"]))


def balance(code: str, currency: str = "usd") -> Nanos:
    """Debits less credits of a ledger account."""
    rows = LedgerBalance.objects.filter(code=code, currency=currency)
    return Nanos(int(rows.aggregate(total=Sum("posted_nanos", default=0))["total"]))


def _merged(kind: str, entries: Sequence[Entry]) -> list[Entry]:
    sums: dict[str, int] = {}
    for entry in entries:
        sums[entry.code] = sums.get(entry.code, 0) + entry.amount_nanos
    merged = [Entry(code, amount) for code, amount in sorted(sums.items()) if amount]
    template = TEMPLATES.get(kind)
    if template is None:
        raise PostingRefused(f"There is no kind of posting {kind!r}")
    total = sum(entry.amount_nanos for entry in merged)
    if len(merged) < 2 or total != 0:
        raise PostingRefused(f"{kind}: the entries don't sum to zero, or there are fewer than two: {merged}")
    for entry in merged:
        sides = template.get(entry.kind, "")
        if ("debit" if entry.amount_nanos > 0 else "credit") not in sides:
            raise PostingRefused(f"{kind}: {entry.code} may not have {entry.amount_nanos}")
    return merged


def _hash(kind: str, currency: str, entries: Sequence[Entry]) -> str:
    content = orjson.dumps([kind, currency, [[entry.code, entry.amount_nanos] for entry in entries]])
    return hashlib.sha256(content).hexdigest()


def _refuse_sealed(effective_at: datetime.datetime) -> None:
    if DaySeal.objects.filter(day__gte=effective_at.astimezone(datetime.UTC).date()).exists():
        raise PostingRefused(f"{effective_at:%Y-%m-%d} is sealed")


def _insert_txn(
    key: str,
    kind: str,
    currency: str,
    effective_at: datetime.datetime,
    digest: str,
    meta: dict[str, Any],
    corrects: LedgerTxn | None,
) -> LedgerTxn | None:
    inserted = LedgerTxn.objects.raw(
        """
        INSERT INTO billing_ledgertxn (key, kind, currency, effective_at, entries_hash, meta, corrects_id)
        VALUES (%s, %s, %s, %s, %s, %s::jsonb, %s) ON CONFLICT (key) DO NOTHING RETURNING *
        """,
        [key, kind, currency, effective_at, digest, orjson.dumps(meta).decode(), corrects.pk if corrects else None],
    )
    return next(iter(inserted), None)


def _move_funds(entries: Sequence[Entry]) -> None:
    """Keep what admission reads equal to the ledger: spendable is the credit on wallet and promo, owed is a debit."""
    moves: dict[int, list[int]] = {}
    for entry in entries:
        if entry.account_id is not None and entry.kind in _SPENDABLE | _OWED:
            spendable, owed = moves.setdefault(entry.account_id, [0, 0])
            if entry.kind in _SPENDABLE:
                moves[entry.account_id] = [spendable - entry.amount_nanos, owed]
            else:
                moves[entry.account_id] = [spendable, owed + entry.amount_nanos]
    with connection.cursor() as cursor:
        for account_id, (spendable, owed) in sorted(moves.items()):
            cursor.execute(
                "UPDATE billing_billingaccount SET spendable_nanos = spendable_nanos + %s, owed_nanos = owed_nanos + %s"
                " WHERE account_id = %s",
                [spendable, owed, account_id],
            )
            if cursor.rowcount != 1:
                raise PostingRefused(f"account {account_id} has no billing account")


def _move_balances(entries: Sequence[Entry], currency: str) -> list[tuple[Entry, int | None]]:
    """Add to each balance, in the order of codes; each entry with its position in a customer's account."""
    customer = next((entry.account_id for entry in entries if entry.account_id is not None), 0)
    moved: list[tuple[Entry, int | None]] = []
    with connection.cursor() as cursor:
        for entry in entries:
            is_platforms = entry.account_id is None
            cursor.execute(
                """
                INSERT INTO billing_ledgerbalance AS b (code, currency, shard, posted_nanos, entry_count)
                VALUES (%s, %s, %s, %s, 1) ON CONFLICT (code, currency, shard)
                DO UPDATE SET posted_nanos = b.posted_nanos + EXCLUDED.posted_nanos, entry_count = b.entry_count + 1
                RETURNING entry_count
                """,
                [entry.code, currency, customer % SHARDS if is_platforms else 0, entry.amount_nanos],
            )
            moved.append((entry, None if is_platforms else int(cursor.fetchone()[0])))
    return moved
