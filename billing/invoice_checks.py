"""Reconciliation of invoices with postings and the ledger.  Source: billing.md 16.2, 17."""

from collections.abc import Iterator

from billing.reconciliation import Difference, compare, job

_RANGES = """
SELECT number, first_seq, last_before, carried_in_nanos, carried_before
  FROM (SELECT number, first_seq, carried_in_nanos,
               coalesce(lag(last_seq) OVER before, 0) AS last_before,
               coalesce(lag(carried_out_nanos) OVER before, 0) AS carried_before
          FROM billing_invoice
        WINDOW before AS (PARTITION BY account_id ORDER BY last_seq, unbilled_seq, issued_at)) i
 WHERE (first_seq, carried_in_nanos) <> (last_before + 1, carried_before)
"""
_LINES = """
SELECT number, total_cents, coalesce(sum(l.amount_cents), 0), carried_out_nanos, coalesce(sum(l.amount_nanos), 0)
  FROM billing_invoice i LEFT JOIN billing_invoiceline l ON l.invoice_id = i.id
 GROUP BY i.id
HAVING (total_cents, total_cents * 10000000 + CASE total_cents WHEN 0 THEN 0 ELSE carried_out_nanos END)
       <> (coalesce(sum(l.amount_cents), 0), coalesce(sum(l.amount_nanos), 0))
"""
_USAGE = """
SELECT number, shown, posted
  FROM billing_invoice i,
       LATERAL (SELECT coalesce(sum(amount_nanos), 0) AS shown FROM billing_invoiceline l
                 WHERE l.invoice_id = i.id AND kind = 'usage') l,
       LATERAL (SELECT coalesce(sum(amount_nanos), 0) AS posted FROM billing_usageposting p
                 WHERE p.account_id = i.account_id AND seq BETWEEN first_seq AND last_seq) p
 WHERE shown <> posted
"""
_RECEIVABLE = """
SELECT 'account/' || account_id, receivable, unpaid
  FROM billing_billingaccount a,
       LATERAL (SELECT coalesce(sum(posted_nanos), 0) AS receivable FROM billing_ledgerbalance
                 WHERE code = 'receivable:' || a.account_id) r,
       LATERAL (SELECT coalesce(sum(total_cents), 0) * 10000000 AS unpaid FROM billing_invoice i
                 WHERE i.account_id = a.account_id AND state IN ('open', 'past_due')) u
 WHERE receivable <> unpaid
"""


@job("invoices")
def invoices() -> Iterator[Difference]:
    """I16-I18: each posting is on one invoice at most, lines are what was posted, what is unpaid is receivable."""
    yield from compare(_RANGES, "begins at {} after {}, carries {} in after {}")
    yield from compare(_LINES, "total {} cents, lines {}; carries {} nanos, lines have {}")
    yield from compare(_USAGE, "usage lines are {}, postings {}")
    yield from compare(_RECEIVABLE, "receivable is {}, unpaid invoices {}")
