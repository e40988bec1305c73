"""Usage that can't be right waits for a person, and is charged at most once."""

import pytest

from accounts.models import AuditEntry
from billing import quarantine
from billing.models import QuarantinedUsage, UsageRecord
from billing.quarantine import doubt_about
from marketplace.lib.problems import Conflict, ValidationFailed
from tests.billing.factories import use

SECOND = 1_000_000


@pytest.fixture
def doubtful(alice):
    def make(predict_us=100 * SECOND, **columns):
        use(alice, predict_us, observed_us=SECOND, **columns)
        return QuarantinedUsage.objects.get()

    return make


@pytest.mark.parametrize(
    ("predict_us", "limit_us", "is_doubtful"),
    [(0, 0, False), (3 * SECOND, 0, False), (3 * SECOND + 1, 0, True), (-1, 0, True), (SECOND, SECOND, False)],
)
def test_a_time_lies_between_nothing_and_what_was_seen(predict_us, limit_us, is_doubtful):
    assert bool(doubt_about(predict_us, observed_us=SECOND, limit_us=limit_us)) == is_doubtful


def test_a_time_beyond_its_limit_is_doubtful():
    assert doubt_about(32 * SECOND, observed_us=60 * SECOND, limit_us=SECOND)
    assert not doubt_about(31 * SECOND, observed_us=60 * SECOND, limit_us=SECOND)


def test_it_is_not_charged_and_says_why(doubtful):
    row = doubtful()
    record = UsageRecord.objects.get(key=row.key)
    assert (record.amount_nanos, row.quantity, row.state) == (0, 100 * SECOND, "open")
    assert "100000000 µs" in row.why


def test_it_can_be_charged_corrected_and_only_once(doubtful, olga):
    row = doubtful()
    record = quarantine.bill(olga.user, row, quantity=2 * SECOND, reason="as its log shows")
    assert (record.key, record.amount_nanos, record.corrects_id) == (f"{row.key}:q", 50_000, None)
    assert (record.subject, record.reason) == (row.subject, "as its log shows")
    assert AuditEntry.objects.get().action == "quarantine_billed"
    with pytest.raises(Conflict):
        quarantine.bill(olga.user, row, reason="again")
    with pytest.raises(Conflict):
        quarantine.drop(olga.user, row, reason="or not")


def test_what_is_dropped_stays_uncharged(doubtful, olga):
    row = doubtful()
    quarantine.drop(olga.user, row, reason="a broken clock")
    row.refresh_from_db()
    assert (row.state, row.answer, UsageRecord.objects.count()) == ("dropped", "a broken clock", 1)


def test_what_was_told_as_no_quantity_needs_one(doubtful, olga):
    row = doubtful(-5)
    assert row.quantity is None
    with pytest.raises(ValidationFailed):
        quarantine.bill(olga.user, row, reason="as it is")


def test_operators_decide_in_the_console(doubtful, olga):
    row = doubtful()
    page = f"/admin/billing/quarantinedusage/{row.pk}"
    answer = olga.post(f"{page}/bill/", {"quantity": str(SECOND), "reason": "seen"}, follow=True)
    assert answer.status_code == 200, answer.content
    row.refresh_from_db()
    assert (row.state, row.decided_by) == ("billed", olga.user)
