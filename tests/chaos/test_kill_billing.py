"""Wherever the process of money is killed, what the next one finds leads to the same sums, to the nano.

Source: billing.md 7.4; 18, F1, F3-F5, F40.
"""

import datetime
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection
from django.utils import timezone

from billing import incidents, ledger, reconciliation
from billing.incidents import Incident
from billing.models import BillingAccount, CreditBucket, RefundProposal, RunReceipt, UsagePosting, UsageRecord
from runner.models import Prediction
from runner.states import Status
from tests.billing.factories import buy, fund, use
from tests.chaos.billing_steps import POINTS, run
from tests.models_catalog.factories import VersionFactory
from tests.runner.factories import make_prediction, start

pytestmark = pytest.mark.chaos
SECOND = 25_000  # nanos on cpu-small; a version's two seconds cost eight of them
RUNS = 10


@dataclass(frozen=True)
class Sums:
    """What must be the same whatever died."""

    charged: int
    refunded: int
    free: int
    spendable: int
    held: int
    records: int
    receipts: int


@pytest.fixture
def under_way(alice, olga):
    """Ten runs that are about to end, usage that waits, a confirmed refund of an incident, credit that is over."""
    fund(alice, 1_000_000 * SECOND)
    fund(alice, 20 * SECOND)
    CreditBucket.objects.update(expires_at=timezone.now())
    buy(alice, 100 * SECOND)
    use_before = [use(alice, 1_000_000, occurred_at=timezone.now()) for _ in range(6)]
    version = VersionFactory.create(model__account=alice)
    for _ in range(RUNS):
        start(make_prediction(version))
    spoiled = tuple(f"prediction/{one}" for one in use_before[:4])
    window = datetime.timedelta(hours=1)
    incident = Incident(timezone.now() - window, timezone.now() + window, subjects=spoiled)
    incidents.propose(olga.user, incident, reason="the node gave noise")
    return alice


def killed_at(point: str) -> int:
    """The steps in a process of their own, on the test's database."""
    where = urlsplit(os.environ["DATABASE_URL"])
    url = urlunsplit(where._replace(path=f"/{connection.settings_dict['NAME']}"))
    env = os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings", "BILLING_CRASH_AT": point}
    return subprocess.run([sys.executable, "-m", "tests.chaos.billing_steps"], env=env, timeout=60).returncode


def sums(account) -> Sums:
    return Sums(
        charged=-ledger.balance("revenue"),
        refunded=ledger.balance("service_credits"),
        free=ledger.balance("promo_cost"),
        spendable=BillingAccount.objects.get(pk=account.pk).spendable_nanos,
        held=BillingAccount.objects.get(pk=account.pk).held_nanos,
        records=UsageRecord.objects.count(),
        receipts=RunReceipt.objects.count(),
    )


EXACT = Sums(
    charged=(6 + 8 * RUNS) * SECOND,
    refunded=4 * SECOND,
    free=86 * SECOND,
    spendable=104 * SECOND,
    held=0,
    records=6 + RUNS + 4,
    receipts=6 + RUNS + 4,
)


@pytest.mark.parametrize("point", ["", *POINTS])
def test_f05_f40_sums_are_exact_wherever_it_is_killed(under_way, point):
    assert killed_at(point) == (-signal.SIGKILL if point else 0)
    run("")
    found = sums(under_way)
    run("")
    assert sums(under_way) == found == EXACT
    assert reconciliation.run(["ledger", "funds", "usage"]) == {"ledger": [], "funds": [], "usage": []}
    assert set(Prediction.objects.values_list("status", flat=True)) == {Status.SUCCEEDED}
    assert RefundProposal.objects.get().state == RefundProposal.State.DONE
    seqs = UsagePosting.objects.filter(account=under_way).order_by("seq").values_list("seq", flat=True)
    assert list(seqs) == list(range(1, len(seqs) + 1))
