"""Usage in a database that is only measured: filled by SQL, then posted and reported by the program's own verbs."""

import datetime
import statistics
import time
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction
from django.db.models import Sum

from accounts.access import Caller
from accounts.models import Account
from billing import posting, reconciliation, reports
from billing.models import BillingAccount, CreditBucket, UsageRollup

_DAYS = 30
_MONTH = "2026-10"
_START = datetime.datetime(2026, 10, 1, tzinfo=datetime.UTC)
_BATCH = 500
_REPORTS = 20
_CREDIT = 10**13

_LEDGER = """
INSERT INTO billing_ledgertxn (key, kind, currency, effective_at, entries_hash, meta)
SELECT 'grant:' || id, 'grant', 'usd', now(), '', '{}' FROM accounts_account;
INSERT INTO billing_ledgerentry (txn_id, code, amount_nanos, seq)
SELECT t.id, code, amount, seq
  FROM billing_ledgertxn t, LATERAL (VALUES ('promo_cost', %(credit)s, NULL),
       ('promo:' || split_part(t.key, ':', 2), -%(credit)s, 1)) AS e(code, amount, seq);
INSERT INTO billing_ledgerbalance (code, currency, shard, posted_nanos, entry_count)
SELECT code, 'usd', 0, sum(amount_nanos), count(*) FROM billing_ledgerentry GROUP BY code;
CREATE TABLE bench_posting AS SELECT 0::bigint AS id, account_id, row_number() OVER (ORDER BY account_id) - 1 AS number
  FROM billing_billingaccount;
CREATE UNIQUE INDEX ON bench_posting (number);
"""
# Runs that cost nothing: posted without a ledger transaction, and as large as any in tables and indexes.
_FILL = """
WITH made AS (
INSERT INTO billing_usageposting (account_id, seq, amount_nanos, promo_nanos, wallet_nanos, unbilled_nanos,
       internal_nanos)
SELECT account_id, posting_count + 1, 0, 0, 0, 0, 0 FROM billing_billingaccount RETURNING id, account_id
) UPDATE bench_posting b SET id = made.id FROM made WHERE b.account_id = made.account_id;
UPDATE billing_billingaccount SET posting_count = posting_count + 1;
"""
_RECORDS = """
INSERT INTO billing_usagerecord (key, account_id, subject, meter, quantity, price_id, currency, gross_nanos,
       amount_nanos, occurred_at, period, billing_class, model_name, version_id, hardware, deployment_name, token_id,
       fault_class, reason, created_at, posting_id)
SELECT 'pred:bench' || g || ':compute_time', b.account_id, 'prediction/bench' || g, 'compute_time', 1000000, p.id,
       'usd', %(amount)s, %(amount)s, %(start)s::timestamptz + make_interval(secs => g %% (86400 * %(days)s)),
       %(period)s, 'shared', 'bench/model' || (b.number + g %% 3) %% 300, md5('v'), 'cpu-small', '', g %% 2, 'none',
       '', now(), CASE WHEN %(is_posted)s THEN b.id END
  FROM generate_series(%(first)s, %(last)s) g
  JOIN bench_posting b ON b.number = CASE WHEN %(is_posted)s AND g %% 10 = 0 THEN 0
       WHEN %(is_posted)s THEN (g / 10 + g %% 10 * 1009) %% %(accounts)s ELSE (g / %(batch)s * 49) %% %(accounts)s END,
       (SELECT id FROM billing_price WHERE sku = 'cpu-small' ORDER BY effective_from LIMIT 1) p
"""
_ROLL_UP = """
INSERT INTO billing_usagerollup AS r (account_id, day, model_name, version_id, deployment_name, hardware, meter,
       token_id, user_id, quantity, runs, gross_nanos, amount_nanos)
SELECT account_id, (occurred_at AT TIME ZONE 'UTC')::date, model_name, version_id, deployment_name, hardware, meter,
       token_id, user_id, sum(quantity), count(*), sum(gross_nanos), sum(amount_nanos)
  FROM billing_usagerecord WHERE id > %s GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
ON CONFLICT (account_id, day, model_name, version_id, deployment_name, hardware, meter, token_id, user_id)
   DO UPDATE SET quantity = r.quantity + EXCLUDED.quantity, runs = r.runs + EXCLUDED.runs
"""


class Rows:
    """The tables as they grow."""

    def __init__(self, accounts: int) -> None:
        self._accounts, self._records = accounts, 0
        made = Account.objects.bulk_create(Account(username=f"bench{number}") for number in range(accounts))
        prepaid = {"mode": BillingAccount.Mode.PREPAID, "spendable_nanos": _CREDIT}
        BillingAccount.objects.bulk_create(BillingAccount(account=account, **prepaid) for account in made)
        bucket = {"kind": CreditBucket.Kind.PROMO, "granted_nanos": _CREDIT, "remaining_nanos": _CREDIT, "priority": 10}
        CreditBucket.objects.bulk_create(
            CreditBucket(account=account, source=f"bench:{account.pk}", **bucket) for account in made
        )
        self._run(_LEDGER, credit=_CREDIT)

    def fill_to(self, size: int) -> None:
        """Posted records, so many in all; every tenth is one account's."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT coalesce(max(id), 0) FROM billing_usagerecord")
            last_id = cursor.fetchone()[0]
            cursor.execute("SET synchronous_commit = off")
            cursor.execute("SET session_replication_role = replica")  # no look at each row's foreign keys
            self._run(_FILL)
            self._add(size - self._records, amount=0, is_posted=True)
            cursor.execute(_ROLL_UP, [last_id])
            cursor.execute("SET session_replication_role = DEFAULT")
            cursor.execute("SET synchronous_commit = DEFAULT")
            cursor.execute("VACUUM (ANALYZE)")
            cursor.execute("CHECKPOINT")

    def post(self, backlog: int) -> float:
        """Records posted per second out of a backlog."""
        self._add(backlog, amount=25_000, is_posted=False)
        start = time.monotonic()
        posted = posting.post_usage(limit=_BATCH)
        seconds = time.monotonic() - start
        assert posted == backlog
        return posted / seconds

    def report_usual_ms(self) -> float:
        """A month of an account like the others."""
        accounts = self._account_ids(_REPORTS)[1:]
        return statistics.median(self._report_ms(account_id) for account_id in accounts)

    def report_big_ms(self) -> float:
        """A month of the account with a tenth of all records."""
        [account_id] = self._account_ids(1)
        return statistics.median(self._report_ms(account_id) for _ in range(_REPORTS))

    def report_all_ms(self) -> float:
        """A month of all accounts by model."""
        day = _START.date()
        month = UsageRollup.objects.filter(day__gte=day, day__lt=day + datetime.timedelta(days=31))
        by_model = month.values("model_name").annotate(amount=Sum("amount_nanos"), runs=Sum("runs"))
        return statistics.median(_milliseconds(lambda: list(by_model.all())) for _ in range(3))

    def ensure_it_adds_up(self) -> None:
        """Every comparison that there is of ledger, funds and usage."""
        found = reconciliation.run(["ledger", "funds", "usage"])
        assert not any(found.values()), {name: differences[:3] for name, differences in found.items()}

    def _add(self, count: int, *, amount: int, is_posted: bool) -> None:
        self._run(
            _RECORDS,
            first=self._records,
            last=self._records + count - 1,
            amount=amount,
            is_posted=is_posted,
            start=_START,
            days=_DAYS,
            period=_MONTH,
            batch=_BATCH,
            accounts=self._accounts,
        )
        self._records += count

    def _account_ids(self, count: int) -> list[int]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT account_id FROM bench_posting ORDER BY number LIMIT %s", [count])
            return [row[0] for row in cursor.fetchall()]

    def _report_ms(self, account_id: int) -> float:
        caller = Caller(account_id=account_id, username="")
        return _milliseconds(lambda: reports.month_of_usage(caller, _MONTH))

    def _run(self, sql: str, **params: Any) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in sql.split(";\n"):
                if statement.strip():
                    cursor.execute(statement, params)


def _milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000
