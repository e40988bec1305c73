"""Reconciliation of usage records with postings, revenue and roll-ups.  Source: billing.md 16.2."""

from collections.abc import Iterator

from billing.reconciliation import Difference, compare, job

_WAITING_MINUTES = 10
_RECORDS = """
SELECT 'posting/' || p.id, p.amount_nanos, coalesce(sum(r.amount_nanos), 0)
  FROM billing_usageposting p LEFT JOIN billing_usagerecord r ON r.posting_id = p.id
 GROUP BY p.id HAVING p.amount_nanos <> coalesce(sum(r.amount_nanos), 0) OR count(r.id) = 0
"""
_REVENUE = """
SELECT 'posting/' || p.id, p.amount_nanos, coalesce(-sum(e.amount_nanos), 0)
  FROM billing_usageposting p
  LEFT JOIN billing_ledgerentry e ON e.txn_id = p.txn_id AND e.code IN ('revenue', 'service_credits')
 GROUP BY p.id HAVING p.amount_nanos <> coalesce(-sum(e.amount_nanos), 0)
"""
_UNEXPLAINED = """
SELECT t.key, t.kind FROM billing_ledgertxn t LEFT JOIN billing_usageposting p ON p.txn_id = t.id
 WHERE t.kind IN ('usage', 'usage_refund') GROUP BY t.id HAVING count(p.id) <> 1
"""
_POSITIONS = """
SELECT 'account/' || account_id, posting_count, count(p.id), coalesce(max(p.seq), 0)
  FROM billing_billingaccount a LEFT JOIN billing_usageposting p USING (account_id)
 GROUP BY a.account_id HAVING posting_count <> count(p.id) OR posting_count <> coalesce(max(p.seq), 0)
"""
_REFUNDS = """
SELECT r.key, r.amount_nanos, sum(c.amount_nanos)
  FROM billing_usagerecord r JOIN billing_usagerecord c ON c.corrects_id = r.id
 GROUP BY r.id HAVING r.amount_nanos + sum(c.amount_nanos) < 0
"""
_PLATFORM = """
SELECT r.key, r.amount_nanos FROM billing_usagerecord r WHERE r.fault_class = 'platform' AND r.amount_nanos > 0
"""
_ROLLUPS = """
SELECT 'account/' || account_id || ' ' || day, u.amount, r.amount, u.runs, r.runs
  FROM (SELECT account_id, day, sum(amount_nanos) AS amount, sum(quantity) AS quantity, sum(runs) AS runs
          FROM billing_usagerollup GROUP BY 1, 2) u
  FULL JOIN
       (SELECT account_id, (occurred_at AT TIME ZONE 'UTC')::date AS day, sum(amount_nanos) AS amount,
               sum(quantity) AS quantity, count(*) FILTER (WHERE corrects_id IS NULL) AS runs
          FROM billing_usagerecord WHERE posting_id IS NOT NULL GROUP BY 1, 2) r USING (account_id, day)
 WHERE (u.amount, u.quantity, u.runs) IS DISTINCT FROM (r.amount, r.quantity, r.runs)
"""
_WAITING = """
SELECT 'account/' || account_id, count(*), min(created_at) FROM billing_usagerecord
 WHERE posting_id IS NULL GROUP BY account_id HAVING min(created_at) < now() - make_interval(mins => %s)
"""


@job("usage")
def check_usage() -> Iterator[Difference]:
    """Records are posted, in postings that add up to them; postings are revenue; roll-ups are what was posted."""
    yield from compare(_WAITING, "{0} records are not posted, the oldest since {1}", [_WAITING_MINUTES])
    yield from compare(_RECORDS, "amounts to {0}, its records to {1}")
    yield from compare(_REVENUE, "amounts to {0}, its ledger transaction to {1}")
    yield from compare(_UNEXPLAINED, "a transaction of kind {0} that is not of one usage posting")
    yield from compare(_POSITIONS, "the last position is {0}; there are {1}, up to {2}")
    yield from compare(_REFUNDS, "charged {0}, corrected by {1}")
    yield from compare(_PLATFORM, "charged {0} for a fault of the platform")
    yield from compare(_ROLLUPS, "rolled up to {0} in {2} runs, the records are {1} in {3}")
