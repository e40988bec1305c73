"""Posted usage by day, merged as it is posted.  Source: billing.md 19."""

from django.db import connection, transaction

from accounts.models import Account
from billing import accounts
from billing.models import UsagePosting, UsageRollup

_MERGE = """
INSERT INTO billing_usagerollup AS r (account_id, day, model_name, version_id, deployment_name, hardware, meter,
       token_id, user_id, quantity, runs, gross_nanos, amount_nanos)
SELECT account_id, (occurred_at AT TIME ZONE 'UTC')::date, model_name, version_id, deployment_name, hardware, meter,
       token_id, user_id, sum(quantity), count(*) FILTER (WHERE corrects_id IS NULL), sum(gross_nanos),
       sum(amount_nanos)
  FROM billing_usagerecord WHERE {} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
ON CONFLICT (account_id, day, model_name, version_id, deployment_name, hardware, meter, token_id, user_id)
   DO UPDATE SET
       quantity = r.quantity + EXCLUDED.quantity, runs = r.runs + EXCLUDED.runs,
       gross_nanos = r.gross_nanos + EXCLUDED.gross_nanos, amount_nanos = r.amount_nanos + EXCLUDED.amount_nanos
"""


def merge(posting: UsagePosting) -> None:
    """Add a posting's records, in its transaction. A correction takes quantity and amount away, but no run."""
    with connection.cursor() as cursor:
        cursor.execute(_MERGE.format("posting_id = %s"), [posting.pk])


def rebuild() -> None:
    """Make the roll-up of every account anew from its posted records, an account at a time, while its postings wait."""
    for account_id in Account.objects.order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            accounts.lock(account_id)
            UsageRollup.objects.filter(account_id=account_id).delete()
            with connection.cursor() as cursor:
                cursor.execute(_MERGE.format("posting_id IS NOT NULL AND account_id = %s"), [account_id])
