"""An incident's runs are refunded once, after a second operator where it is much."""

import datetime

import pytest
from django.core.management import CommandError, call_command

from accounts.models import AuditEntry
from billing import incidents, posting, reconciliation
from billing.incidents import Incident, Preview
from billing.models import BillingAccount, CreditBucket, RefundProposal, UsageRecord
from billing.money import Nanos
from billing.refunds import refund_usage
from marketplace.lib.problems import Conflict, ValidationFailed
from tests.billing.factories import NOON, fund, use
from tests.plugins.people import _person

SECOND = 25_000
HOUR = datetime.timedelta(hours=1)
SPOILED = Incident(since=NOON - HOUR, until=NOON + HOUR, model_name="alice/echo")
DOLLAR_US = 10_000 * 1_000_000_000 // 250  # µs on cpu-small that cost a dollar


@pytest.fixture
def spoiled(alice, stranger):
    """Three runs of two accounts within it, and each kind of run that isn't."""
    fund(alice, 100 * SECOND)
    runs = [use(alice), use(alice, 2_000_000), use(stranger)]
    use(alice, model_name="alice/other")
    use(alice, occurred_at=NOON + HOUR)
    use(alice, 0)
    posting.post_usage()
    return runs


def refunded():
    return sorted(UsageRecord.objects.exclude(corrects=None).values_list("corrects__subject", flat=True))


def test_the_sum_is_shown_before(spoiled):
    assert incidents.preview(SPOILED) == Preview(accounts=2, runs=3, amount_nanos=Nanos(4 * SECOND))
    assert incidents.preview(Incident(SPOILED.since, SPOILED.until, version_id="another")).runs == 0
    assert incidents.preview(Incident(SPOILED.since, SPOILED.until, hardware="cpu-small")).runs == 4
    chosen = (f"prediction/{spoiled[0]}",)
    assert incidents.preview(Incident(SPOILED.since, SPOILED.until, subjects=chosen)).runs == 1


def test_a_small_one_is_confirmed_at_once_and_carried_out_once(spoiled, olga):
    proposal = incidents.propose(olga.user, SPOILED, reason="node-7 gave noise")
    assert incidents.finish_confirmed() == 1
    assert refunded() == sorted(f"prediction/{run}" for run in spoiled)
    assert incidents.carry_out(proposal) == incidents.finish_confirmed() == 0
    proposal.refresh_from_db()
    assert (proposal.state, proposal.runs, proposal.amount_nanos) == ("done", 3, 4 * SECOND)
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == [
        "propose_refund",
        "confirm_refund",
    ]
    reasons = UsageRecord.objects.exclude(corrects=None).values_list("reason", flat=True)
    assert set(reasons) == {"node-7 gave noise"}


def test_f40_one_that_died_in_the_middle_is_finished_and_each_run_refunded_once(alice, olga, monkeypatch):
    fund(alice, 100 * SECOND)
    for number in range(40):
        use(alice, 1_000_000 + 40 * number)
    posting.post_usage(limit=7)
    incidents.propose(olga.user, SPOILED, reason="noise")
    left = iter(range(15))

    def dying(record, **options):
        next(left)
        return refund_usage(record, **options)

    monkeypatch.setattr(incidents, "refund_usage", dying)
    with pytest.raises(StopIteration):
        incidents.finish_confirmed()
    assert len(refunded()) == 15
    monkeypatch.undo()
    assert incidents.finish_confirmed() == 1
    assert len(refunded()) == len(set(refunded())) == 40
    assert CreditBucket.objects.get().remaining_nanos == BillingAccount.objects.get().spendable_nanos == 100 * SECOND
    assert reconciliation.run(["ledger", "funds", "usage"]) == {"ledger": [], "funds": [], "usage": []}


@pytest.fixture
def expensive(alice, olga):
    """A proposal of 101 dollars."""
    use(alice, 101 * DOLLAR_US)
    return incidents.propose(olga.user, SPOILED, reason="noise")


def test_above_a_hundred_dollars_somebody_else_confirms(expensive, olga):
    assert incidents.finish_confirmed() == 0
    with pytest.raises(Conflict, match="somebody else"):
        incidents.confirm(olga.user, expensive.pk)
    incidents.confirm(_person("otto", is_staff=True).user, expensive.pk)
    assert incidents.finish_confirmed() == 1
    with pytest.raises(Conflict, match="done already"):
        incidents.reject(olga.user, expensive.pk)


def test_a_rejected_one_is_never_carried_out(expensive, olga):
    incidents.reject(olga.user, expensive.pk)
    with pytest.raises(Conflict, match="rejected already"):
        incidents.confirm(_person("otto", is_staff=True).user, expensive.pk)
    assert incidents.finish_confirmed() == 0
    assert refunded() == []


@pytest.mark.parametrize(
    ("incident", "reason", "named"),
    [
        (SPOILED, " ", "reason"),
        (Incident(NOON, NOON), "noise", "until"),
        (Incident(NOON + 2 * HOUR, NOON + 3 * HOUR), "noise", "since"),
    ],
)
def test_what_is_wrong_with_a_proposal_is_named(spoiled, olga, incident, reason, named):
    with pytest.raises(ValidationFailed, match=named):
        incidents.propose(olga.user, incident, reason=reason)
    assert not RefundProposal.objects.exists()


def test_usage_that_came_after_the_proposal_is_not_in_it(expensive, alice):
    use(alice)
    incidents.carry_out(expensive)
    assert len(refunded()) == 1


def test_the_command_shows_then_refunds(spoiled, olga, capsys):
    words = ["refund_incident", "--since=2026-11-10T11:00", "--until=2026-11-10T13:00", "--model=alice/echo"]
    call_command(*words)
    assert "3 runs of 2 accounts" in capsys.readouterr().out
    call_command(*words, "--operator=olga", "--reason=noise")
    assert "3 charges refunded" in capsys.readouterr().out
    with pytest.raises(CommandError, match="left to refund"):
        call_command(*words, "--operator=olga", "--reason=noise")
    with pytest.raises(CommandError, match="no operator"):
        call_command(*words, "--operator=alice")


def test_the_command_confirms_for_another_operator(expensive, olga, capsys):
    _person("otto", is_staff=True)
    with pytest.raises(CommandError, match="somebody else"):
        call_command("refund_incident", "--operator=olga", f"--confirm={expensive.pk}")
    call_command("refund_incident", "--operator=otto", f"--confirm={expensive.pk}")
    assert "1 charges refunded" in capsys.readouterr().out
