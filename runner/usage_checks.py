"""Reconciliation of ended predictions with the usage that was written for them.  Source: billing.md 16.2, 17, I13."""

from collections.abc import Iterator

from billing.reconciliation import Difference, compare, job
from runner.states import TERMINAL

_CHECKED_DAYS = 8  # of each night
_WITHOUT_USAGE = """
SELECT p.kind || '/' || p.id, p.status, p.completed_at
  FROM runner_prediction p
 WHERE p.status = ANY(%s) AND p.completed_at > now() - make_interval(days => %s)
   AND NOT EXISTS (SELECT 1 FROM billing_usagerecord r WHERE r.subject = 'prediction/' || p.id)
"""


@job("predictions")
def check_predictions() -> Iterator[Difference]:
    """Each prediction and training that ended has its usage records, be they of nothing."""
    yield from compare(_WITHOUT_USAGE, "{0} at {1}, and no usage was written", [sorted(TERMINAL), _CHECKED_DAYS])
