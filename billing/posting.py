"""Usage records are taken from credit or put on the bill: a batch of one account's in one transaction.

A record is posted when its `posting` is set; what is not posted yet is found by looking, so no wake-up can be lost, and
a process that dies leaves a batch posted or untouched.  Source: billing.md 7.3, 7.4.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import structlog
from celery import current_app
from django.db import connection, transaction
from django.db.models import F
from kombu.exceptions import OperationalError

from billing import accounts, credit, holds, ledger, low_balance, receipts, rollups
from billing.credit import Taken
from billing.ledger import Entry
from billing.models import BillingAccount, LedgerTxn, UsagePosting, UsageRecord

log = structlog.get_logger(__name__)

BATCH_RECORDS = 500
_ROUNDS = 20  # of one sweep: the next comes within a second
_SWEEP_LOCK = 7_213_004_001


@dataclass(frozen=True, slots=True)
class Sides:
    """Where the amount of a batch comes from, in nanos. wallet: with what its buckets don't cover, an overrun."""

    promo: int = 0
    wallet: int = 0
    unbilled: int = 0
    internal: int = 0

    def entries(self, account_id: int) -> list[Entry]:
        """Debits, all but revenue's part."""
        return [
            Entry(f"promo:{account_id}", self.promo),
            Entry(f"wallet:{account_id}", self.wallet),
            Entry(f"unbilled:{account_id}", self.unbilled),
            Entry("internal_usage", self.internal),
        ]


def post_usage(*, account_id: int | None = None, limit: int = BATCH_RECORDS) -> int:
    """Post all that is not posted yet, of one account or of all; how many records.

    Batches of at most `limit` records, each a transaction of its own; accounts take turns.
    """
    posted = 0
    while count := _post_round([account_id] if account_id is not None else _waiting_accounts(), limit):
        posted += count
    return posted


def sweep() -> int:
    """Post what waits, unless another process is at it; how many records. What fails is told, and holds up nobody."""
    posted = 0
    with _only_one() as is_mine:
        for _ in range(_ROUNDS if is_mine else 0):
            count = sum(_try_to_post(account_id) for account_id in _waiting_accounts())
            posted += count
            if not count:
                break
    return posted


def _try_to_post(account_id: int) -> int:
    try:
        return _post_round([account_id], BATCH_RECORDS)
    except Exception:
        log.exception("posting_failed", account_id=account_id)
        return 0


def post_pending(payer: BillingAccount, *, limit: int = BATCH_RECORDS) -> int:
    """Post what the locked account has not posted yet, in the caller's transaction; how many records."""
    posted = 0
    while count := _post_batch(payer, limit):
        posted += count
        payer.refresh_from_db()
    return posted


def add_posting(payer: BillingAccount, txn: LedgerTxn | None, amount_nanos: int, sides: Sides) -> UsagePosting:
    """The next `UsagePosting` of a locked account; its records are the caller's to set."""
    BillingAccount.objects.filter(pk=payer.pk).update(posting_count=F("posting_count") + 1)
    payer.posting_count += 1
    return UsagePosting.objects.create(
        account_id=payer.pk,
        seq=payer.posting_count,
        txn=txn,
        amount_nanos=amount_nanos,
        promo_nanos=sides.promo,
        wallet_nanos=sides.wallet,
        unbilled_nanos=sides.unbilled,
        internal_nanos=sides.internal,
    )


def _post_round(account_ids: Iterable[int], limit: int) -> int:
    posted = 0
    for account_id in account_ids:
        with transaction.atomic():
            posted += _post_batch(accounts.lock(account_id), limit)
    return posted


def _post_batch(payer: BillingAccount, limit: int) -> int:
    unposted = UsageRecord.objects.filter(account_id=payer.pk, posting=None).order_by("pk")
    records = list(unposted[:limit])
    if not records:
        return 0
    amount = sum(record.amount_nanos for record in records)
    sides, taken = _sides(payer, amount)
    txn = _charge(payer, records, sides, taken) if amount else None
    posting = add_posting(payer, txn, amount, sides)
    _set_posting(records, posting)
    holds.settle_many(_by_subject(records))
    rollups.merge(posting)
    receipts.write_many(payer, records)
    low_balance.tell_if_crossed(payer, amount)
    if payer.reload_enabled:
        transaction.on_commit(partial(_reload_if_low, payer.pk))
    return len(records)


def _set_posting(records: Sequence[UsageRecord], posting: UsagePosting) -> None:
    """In one statement with one parameter: hundreds of placeholders take longer than the update."""
    with connection.cursor() as cursor:
        ids = [record.pk for record in records]
        cursor.execute("UPDATE billing_usagerecord SET posting_id = %s WHERE id = ANY(%s)", [posting.pk, ids])


def _by_subject(records: Sequence[UsageRecord]) -> dict[str, int]:
    amounts: Counter[str] = Counter()
    for record in records:
        amounts[record.subject] += record.amount_nanos
    return dict(amounts)


def _reload_if_low(account_id: int) -> None:
    """Wake who buys credit. With the broker down the sweep does it later."""
    payer = BillingAccount.objects.get(pk=account_id)
    if payer.available_nanos <= payer.reload_threshold_nanos:
        try:
            current_app.send_task("billing.tasks.reload_credit", args=[account_id], retry=False)
        except (OperationalError, OSError) as error:
            log.warning("wakeup_lost", type="reload_credit", account_id=account_id, error=str(error))


def _sides(payer: BillingAccount, amount: int) -> tuple[Sides, list[Taken]]:
    """Credit first, in its order; what it doesn't cover is owed, or an overrun of the wallet."""
    if not payer.is_charged:
        return Sides(internal=amount), []
    taken = credit.plan(payer.pk, amount)
    promo = sum(one.amount_nanos for one in taken if not one.is_paid)
    wallet = sum(one.amount_nanos for one in taken if one.is_paid)
    rest = amount - promo - wallet
    if payer.mode == BillingAccount.Mode.POSTPAID:
        return Sides(promo=promo, wallet=wallet, unbilled=rest), taken
    return Sides(promo=promo, wallet=wallet + rest), taken


def _charge(payer: BillingAccount, records: Sequence[UsageRecord], sides: Sides, taken: Sequence[Taken]) -> LedgerTxn:
    by_hardware: Counter[str] = Counter()
    for record in records:
        by_hardware[record.hardware] += record.amount_nanos
    entries = [*sides.entries(payer.pk), Entry("revenue", -sum(by_hardware.values()))]
    meta = {"records": len(records), "hardware": dict(by_hardware)}
    txn, is_new = ledger.post(_key(records), "usage", entries, currency=payer.currency, meta=meta)
    assert is_new, "records that were posted have a posting"
    credit.consume(txn, taken)
    return txn


def _key(records: Sequence[UsageRecord]) -> str:
    keys = "\n".join(sorted(record.key for record in records))
    return f"usage:{hashlib.sha256(keys.encode()).hexdigest()}"


def _waiting_accounts() -> Iterator[int]:
    """Accounts with unposted usage, each found by one look into the index: a backlog is never read through."""
    last = 0
    unposted = UsageRecord.objects.filter(posting=None).order_by("account_id", "pk")
    while found := unposted.filter(account_id__gt=last).values_list("account_id", flat=True).first():
        yield found
        last = found


@contextmanager
def _only_one() -> Iterator[bool]:
    """False while another process has it. The lock ends with the connection of who dies."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_SWEEP_LOCK])
        is_mine = bool(cursor.fetchone()[0])
        try:
            yield is_mine
        finally:
            if is_mine:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_SWEEP_LOCK])
