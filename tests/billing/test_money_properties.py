"""Any history of usage, payments, refunds, expiries and modes leaves the database as the plain model says.

After each step: billing.md 17, invariants 1, 3-6, 8, 9, 13, 16, 24.
"""

import datetime
from unittest import mock

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from billing import accounts, credit, ledger, modes, posting, reconciliation
from billing.expiry import expire_due
from billing.ledger import Entry, PostingConflict
from billing.models import CreditBucket, LedgerTxn, UsageRecord
from billing.modes import Mode
from billing.refunds import refund_usage
from tests.accounts.factories import AccountFactory, UserFactory
from tests.billing.factories import buy, use
from tests.billing.money_model import RATE, Book, Run

START = datetime.datetime(
    2040, 1, 10, 12, tzinfo=datetime.UTC
)  # later than the database's clock: nothing waits for long
DAY = datetime.timedelta(days=1)
who = st.integers(0, 1)
microseconds = st.one_of(st.sampled_from([0, 20, 60, 100]), st.integers(0, 4_000_000))
amounts = st.integers(1, 6 * RATE)


class Money(RuleBasedStateMachine):
    """Two accounts and a clock that only this machine moves."""

    def __init__(self) -> None:
        super().__init__()
        self.today = 0
        self._transaction = transaction.atomic()
        self._transaction.__enter__()
        self._clock = mock.patch("django.utils.timezone.now", self._now)
        self._clock.start()
        self.operator = UserFactory.create(username="operator")
        self.accounts = AccountFactory.create_batch(2)
        self.books = [Book(), Book()]

    def teardown(self) -> None:
        """As if it had never been."""
        self._clock.stop()
        transaction.set_rollback(True)
        self._transaction.__exit__(None, None, None)

    @rule(who=who, predict_us=microseconds, days_late=st.integers(0, 40))
    def a_run_ends(self, who, predict_us, days_late):
        at = self._now() - days_late * DAY
        prediction_id = use(self.accounts[who], predict_us, occurred_at=at)
        self.books[who].runs.append(Run(f"prediction/{prediction_id}", predict_us))

    @precondition(lambda self: self._runs())
    @rule(data=st.data(), predict_us=microseconds)
    def a_run_is_told_again(self, data, predict_us):
        number, run = data.draw(st.sampled_from(self._runs()))
        use(self.accounts[number], predict_us, prediction_id=run.key.removeprefix("prediction/"))

    @rule(who=who, limit=st.integers(1, 4))
    def usage_is_posted(self, who, limit):
        posting.post_usage(account_id=self.accounts[who].pk, limit=limit)
        self.books[who].post(limit)

    @rule()
    def everything_is_posted(self):
        posting.post_usage()
        for book in self.books:
            book.post(500)

    @rule(who=who, amount=amounts, days=st.one_of(st.none(), st.integers(1, 60)))
    def credit_is_granted(self, who, amount, days):
        expires = None if days is None else self.today + days
        expires_at = None if expires is None else START + expires * DAY
        credit.grant(self.accounts[who], amount_nanos=amount, expires_at=expires_at)
        if self.books[who].mode == "internal":
            self.books[who].post(500)
        self.books[who].grant(amount, expires)

    @rule(who=who, amount=amounts)
    def a_payment_comes(self, who, amount):
        with transaction.atomic():
            modes.note_payment(accounts.lock(self.accounts[who].pk))
            buy(self.accounts[who], amount)
        if self.books[who].mode in {"internal", "trial"}:
            self.books[who].post(500)
        self.books[who].pay(amount)

    @precondition(lambda self: self._runs())
    @rule(data=st.data())
    def a_run_is_refunded(self, data):
        number, run = data.draw(st.sampled_from(self._runs()))
        left = run.amount - run.refunded
        part = data.draw(st.one_of(st.none(), st.integers(1, left))) if left else None
        record = UsageRecord.objects.get(subject=run.key, corrects=None)
        refund_usage(record, reason="a test", amount_nanos=part)
        self.books[number].refund(run, left if part is None else part, self.today)

    @rule(data=st.data(), who=who, free=amounts, paid=amounts, predict_us=st.integers(1_000_000, 8_000_000))
    def a_run_that_several_buckets_paid_is_refunded_in_parts(self, data, who, free, paid, predict_us):
        self.everything_is_posted()
        self.credit_is_granted(who, free, None)
        self.a_payment_comes(who, paid)
        self.a_run_ends(who, predict_us, 0)
        self.everything_is_posted()
        run = self.books[who].runs[-1]
        record = UsageRecord.objects.get(subject=run.key, corrects=None)
        for _ in range(2):
            part = data.draw(st.integers(1, max(1, (run.amount - run.refunded) // 2)))
            refund_usage(record, reason="a test", amount_nanos=part)
            self.books[who].refund(run, part, self.today)

    @rule(days=st.integers(1, 20))
    def time_passes_and_credit_expires(self, days):
        self.today += days
        while expire_due(self._now()):
            pass
        for book in self.books:
            book.expire(self.today)

    @rule(who=who, mode=st.sampled_from(list(Mode)))
    def an_operator_changes_the_mode(self, who, mode):
        limit = 10 * RATE if mode == Mode.POSTPAID else 0
        modes.change_mode(self.operator, self.accounts[who], mode=mode, reason="a test", credit_limit_nanos=limit)
        self.books[who].post(500)
        self.books[who].mode = mode

    @precondition(lambda self: LedgerTxn.objects.exists())
    @rule(data=st.data())
    def a_posting_is_tried_again(self, data):
        txn = data.draw(st.sampled_from(list(LedgerTxn.objects.order_by("pk"))))
        entries = [Entry(entry.code, entry.amount_nanos) for entry in txn.entries.all()]
        assert ledger.post(txn.key, txn.kind, entries) == (txn, False)
        with pytest.raises(PostingConflict):
            ledger.post(txn.key, txn.kind, [Entry(entry.code, 2 * entry.amount_nanos) for entry in entries])

    @invariant()
    def the_database_adds_up(self):
        connection.check_constraints()
        jobs = ("ledger", "funds", "usage")
        assert reconciliation.run(jobs) == {name: [] for name in jobs}

    @invariant()
    def the_database_is_as_the_model(self):
        for account, book in zip(self.accounts, self.books, strict=True):
            assert -ledger.balance(f"promo:{account.pk}") == book.sides["promo"]
            assert -ledger.balance(f"wallet:{account.pk}") == book.sides["wallet"]
            assert ledger.balance(f"unbilled:{account.pk}") == book.sides["unbilled"]
            rests = CreditBucket.objects.filter(account=account, remaining_nanos__gt=0)
            in_order = rests.order_by("pk").values_list("kind", "remaining_nanos")
            assert sorted(in_order) == sorted((one.kind, one.rest) for one in book.buckets if one.rest)
            records = UsageRecord.objects.filter(account=account, corrects=None).order_by("pk")
            assert list(records.values_list("subject", "amount_nanos", "quantity")) == [
                (run.key, run.amount, run.microseconds) for run in book.runs
            ]
        assert ledger.balance("internal_usage") == sum(book.sides["internal"] for book in self.books)
        assert -ledger.balance("revenue") == sum(book.revenue for book in self.books)
        assert ledger.balance("service_credits") == sum(book.refunds for book in self.books)
        assert -ledger.balance("breakage") == sum(book.breakage for book in self.books)
        posted = UsageRecord.objects.exclude(posting=None).aggregate(total=Sum("amount_nanos", default=0))["total"]
        assert posted == sum(book.revenue - book.refunds for book in self.books)

    def _now(self) -> datetime.datetime:
        return START + self.today * DAY

    def _runs(self) -> list[tuple[int, Run]]:
        return [(number, run) for number, book in enumerate(self.books) for run in book.runs]


@pytest.mark.slow
@pytest.mark.django_db
def test_any_history_leaves_what_the_model_says(db):
    run_state_machine_as_test(
        Money,
        settings=settings(
            max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
