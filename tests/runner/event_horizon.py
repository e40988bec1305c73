"""The event log shows what no open transaction can come before: what tests wait for before they pull."""

import time

from django.db import connection


def await_other_databases():
    """Until transactions that other workers' tests had open are over: the cluster's databases share one horizon."""
    begun = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
    older = (
        "SELECT 1 FROM pg_stat_activity WHERE datname <> current_database() AND age(backend_xid) >= age(%s::text::xid)"
    )
    with connection.cursor() as cursor:
        cursor.execute(begun)
        horizon = cursor.fetchone()[0] % 2**32
        for _ in range(600):
            cursor.execute(older, [horizon])
            if cursor.fetchone() is None:
                return
            time.sleep(0.05)
    raise AssertionError("Another worker's transaction has been open for 30 s")
