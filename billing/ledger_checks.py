"""Reconciliation of the ledger with itself, and of accounts' funds with the ledger.  Source: billing.md 16.2, 17."""

from collections.abc import Iterator

from django.db import connection, transaction

from billing.reconciliation import Difference, compare, job

_UNBALANCED = """
SELECT t.key, coalesce(sum(e.amount_nanos), 0), count(e.id)
  FROM billing_ledgertxn t LEFT JOIN billing_ledgerentry e ON e.txn_id = t.id
 GROUP BY t.id HAVING coalesce(sum(e.amount_nanos), 0) <> 0 OR count(e.id) < 2
"""
_BALANCES = """
SELECT code, coalesce(posted, 0), coalesce(written, 0), coalesce(posted_count, 0), coalesce(written_count, 0)
  FROM (SELECT code, currency, sum(posted_nanos) AS posted, sum(entry_count) AS posted_count
          FROM billing_ledgerbalance GROUP BY 1, 2) b
  FULL JOIN
       (SELECT e.code, t.currency, sum(e.amount_nanos) AS written, count(*) AS written_count
          FROM billing_ledgerentry e JOIN billing_ledgertxn t ON t.id = e.txn_id GROUP BY 1, 2) e USING (code, currency)
 WHERE (coalesce(posted, 0), coalesce(posted_count, 0)) <> (coalesce(written, 0), coalesce(written_count, 0))
"""
_POSITIONS = """
SELECT code, count(*), max(seq) FROM billing_ledgerentry WHERE seq IS NOT NULL GROUP BY code HAVING count(*) <> max(seq)
"""
_FUNDS = """
SELECT 'account/' || account_id, spendable_nanos, spendable, owed_nanos, owed
  FROM billing_billingaccount,
       LATERAL (SELECT coalesce(-sum(posted_nanos), 0) AS spendable FROM billing_ledgerbalance
                 WHERE code IN ('wallet:' || account_id, 'promo:' || account_id)) credit,
       LATERAL (SELECT coalesce(sum(posted_nanos), 0) AS owed FROM billing_ledgerbalance
                 WHERE code IN ('unbilled:' || account_id, 'receivable:' || account_id)) debt
 WHERE (spendable_nanos, owed_nanos) <> (spendable, owed)
"""
_BUCKETS = """
SELECT 'account/' || account_id, free, promo, paid, wallet
  FROM billing_billingaccount,
       LATERAL (SELECT coalesce(sum(remaining_nanos) FILTER (WHERE kind <> 'paid'), 0) AS free,
                       coalesce(sum(remaining_nanos) FILTER (WHERE kind = 'paid'), 0) AS paid
                  FROM billing_creditbucket c WHERE c.account_id = billing_billingaccount.account_id) c,
       LATERAL (SELECT coalesce(-sum(posted_nanos), 0) AS promo FROM billing_ledgerbalance
                 WHERE code = 'promo:' || account_id) p,
       LATERAL (SELECT coalesce(-sum(posted_nanos), 0) AS wallet FROM billing_ledgerbalance
                 WHERE code = 'wallet:' || account_id) w
 WHERE free <> promo OR paid < wallet
"""
_CONSUMPTION = """
SELECT 'bucket/' || c.id, c.remaining_nanos, c.granted_nanos - coalesce(sum(u.amount_nanos), 0)
  FROM billing_creditbucket c LEFT JOIN billing_bucketconsumption u ON u.bucket_id = c.id
 GROUP BY c.id HAVING c.remaining_nanos <> c.granted_nanos - coalesce(sum(u.amount_nanos), 0)
"""
_HELD = """
SELECT 'account/' || account_id, held_nanos, held
  FROM billing_billingaccount,
       LATERAL (SELECT coalesce(sum(amount_nanos), 0) AS held FROM billing_hold h
                 WHERE h.account_id = billing_billingaccount.account_id AND state = 'open') h
 WHERE held_nanos <> held
"""
_REBUILD = """
DELETE FROM billing_ledgerbalance;
INSERT INTO billing_ledgerbalance (code, currency, shard, posted_nanos, entry_count)
SELECT e.code, t.currency, 0, sum(e.amount_nanos), count(*)
  FROM billing_ledgerentry e JOIN billing_ledgertxn t ON t.id = e.txn_id GROUP BY 1, 2;
UPDATE billing_billingaccount a
   SET spendable_nanos = coalesce((SELECT -sum(posted_nanos) FROM billing_ledgerbalance
                                    WHERE code IN ('wallet:' || a.account_id, 'promo:' || a.account_id)), 0),
       owed_nanos = coalesce((SELECT sum(posted_nanos) FROM billing_ledgerbalance
                               WHERE code IN ('unbilled:' || a.account_id, 'receivable:' || a.account_id)), 0);
"""


@job("ledger")
def check_ledger() -> Iterator[Difference]:
    """Every posting sums to zero; balances are the sums of entries; positions have no gaps."""
    yield from compare(_UNBALANCED, "its {1} entries sum to {0}")
    yield from compare(_BALANCES, "the balance says {0} in {2} entries, the entries {1} in {3}")
    yield from compare(_POSITIONS, "{0} entries, the last at position {1}")


@job("funds")
def check_funds() -> Iterator[Difference]:
    """What admission reads is what the ledger says, what buckets hold, what holds reserve."""
    yield from compare(_FUNDS, "spendable {0}, by the ledger {1}; owed {2}, by the ledger {3}")
    yield from compare(_BUCKETS, "free buckets hold {0}, promo has {1}; paid buckets hold {2}, the wallet has {3}")
    yield from compare(_CONSUMPTION, "{0} left, {1} by what was taken")
    yield from compare(_HELD, "held {0}, open holds {1}")


def rebuild_balances() -> None:
    """Make the balances, and accounts' funds, anew from the entries. Postings wait meanwhile.

    The platform's accounts get one row each; their next postings spread them again.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        # In the order in which postings lock, so that neither waits for the other in a circle.
        cursor.execute("SELECT 1 FROM billing_billingaccount ORDER BY account_id FOR UPDATE")
        cursor.execute("LOCK TABLE billing_ledgertxn IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute(_REBUILD)
