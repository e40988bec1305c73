"""Money reserved for accepted work: placed when it is accepted, extended while it runs, settled with its usage.

What an account may spend is decided here and nowhere else, with its row locked: whoever comes at the same moment waits
for the lock and then sees what is left. A hold is resolved at most once. Internal accounts are held for their limits
only, and not at all where they have none.  Source: billing.md 8.1, I6, I7.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import BigIntegerField, Case, ExpressionWrapper, F, When
from django.utils import timezone

from billing import accounts, counters, spending
from billing.models import BillingAccount, Hold, SpendCounter, SpendLimit, UsageRecord
from billing.periods import period_of
from billing.refusals import AccountSuspended, InsufficientCredit, SpendLimitReached
from marketplace.lib.problems import Problem

_ROLLING = "instance/"  # holds that stay open while parts of them are settled
_LINE = Case(
    When(
        mode=BillingAccount.Mode.POSTPAID,
        status=BillingAccount.Status.ACTIVE,
        then=F("credit_limit_nanos") - F("owed_nanos"),
    ),
    default=0,
)
# `BillingAccount.available_nanos` in SQL. A sum is an integer to Django, which then finds no row above 2.14 dollars.
_AVAILABLE = ExpressionWrapper(F("spendable_nanos") + _LINE - F("held_nanos"), output_field=BigIntegerField())


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """Work that wants to be accepted. amount_nanos: what it may be expected to cost, with room.

    most_nanos: what it may cost at worst. A trial account's hold is as much of that as its credit pays, since it may
    never owe anything. deployment_name: `owner/name`.
    """

    subject: str
    account_id: int
    amount_nanos: int
    token_id: int | None = None
    user_id: int | None = None
    deployment_name: str = ""
    most_nanos: int = 0


def is_held(account_id: int) -> bool:
    """Is anything held for this account's work? Remembered for seconds."""
    return not spending.current_standing(account_id).is_free


def place_many(requests: Sequence[HoldRequest]) -> dict[str, Problem]:
    """Hold money for new subjects, in the caller's transaction that writes them; the refused ones with their 402.

    Those of one account are admitted in their order, each as long as money is free and every limit leaves room.
    """
    by_account: defaultdict[int, list[HoldRequest]] = defaultdict(list)
    for request in requests:
        if is_held(request.account_id):
            by_account[request.account_id].append(request)
    if not by_account:
        return {}
    refused: dict[str, Problem] = {}
    with transaction.atomic():
        for account_id in sorted(by_account):  # one order of locks for everybody
            refused |= _Admission(account_id).place(by_account[account_id])
    return refused


class _Admission:
    """One account's money while its row is locked: what is left of its credit and limits as holds are added."""

    def __init__(self, account_id: int) -> None:
        self._now = timezone.now()
        self._payer = accounts.lock(account_id)
        self._counters = counters.current(account_id, self._now)
        self._left, self._held = self._payer.available_nanos, self._payer.held_nanos

    def place(self, requests: Sequence[HoldRequest]) -> dict[str, Problem]:
        """Admit one after the other, then write all that was admitted."""
        refused: dict[str, Problem] = {}
        placed: list[Hold] = []
        for request in requests:
            amount = self._wanted(request)
            applying = [counter for counter in self._counters if counters.applies(counter.limit, request)]
            if problem := self._refusal(amount, applying):
                refused[request.subject] = problem
                continue
            self._left, self._held = self._left - amount, self._held + amount
            for counter in applying:
                counter.held_nanos += amount
            placed.append(_hold(request, amount, applying))
        self._write([hold for hold in placed if hold.amount_nanos])
        return refused

    def _wanted(self, request: HoldRequest) -> int:
        if self._payer.mode != BillingAccount.Mode.TRIAL:
            return request.amount_nanos
        return max(request.amount_nanos, min(request.most_nanos, self._left))

    def _refusal(self, amount: int, applying: Iterable[SpendCounter]) -> Problem | None:
        """A limit goes before credit: whoever buys credit must not find that it did not help."""
        payer = self._payer
        if payer.status in (BillingAccount.Status.SUSPENDED, BillingAccount.Status.CLOSED):
            return AccountSuspended(payer, required_nanos=amount)
        if tight := tightest(applying, amount):
            return limit_reached(tight, required_nanos=amount, now=self._now)
        # What costs nothing by itself, as on an instance that is paid for, needs credit that is not used up.
        enough = self._left >= amount if amount else self._left + self._held > 0
        if payer.is_charged and not enough:
            return InsufficientCredit(payer, required_nanos=amount, available_nanos=self._left)
        return None

    def _write(self, placed: Sequence[Hold]) -> None:
        if not placed:
            return
        _hold_on_account(self._payer, sum(hold.amount_nanos for hold in placed))
        counters.hold(_by_counter(placed))
        Hold.objects.bulk_create(placed)


def tightest(applying: Iterable[SpendCounter], amount: int) -> SpendCounter | None:
    """Of the hard limits that leave no room for the amount, the one that leaves least."""
    full = [counter for counter in applying if counter.limit.is_hard and _room(counter) < max(amount, 1)]
    return min(full, key=_room, default=None)


def limit_reached(counter: SpendCounter, *, required_nanos: int, now: datetime.datetime) -> SpendLimitReached:
    """The 402 that names the limit."""
    return SpendLimitReached(
        counter,
        used_nanos=counter.spent_nanos + counter.held_nanos,
        required_nanos=required_nanos,
        resets_at=period_of(counter.limit.period, now).ends_at,
    )


def _room(counter: SpendCounter) -> int:
    return counter.limit.limit_nanos - counter.spent_nanos - counter.held_nanos


def _hold(request: HoldRequest, amount: int, applying: Iterable[SpendCounter]) -> Hold:
    return Hold(
        subject=request.subject,
        account_id=request.account_id,
        token_id=request.token_id,
        user_id=request.user_id,
        deployment_name=request.deployment_name,
        amount_nanos=amount,
        counters=[counter.pk for counter in applying],
    )


def _hold_on_account(payer: BillingAccount, amount: int, *, overdraft: int = 0) -> None:
    """Move `held_nanos` of the locked row. The database holds the decision once more."""
    rows = BillingAccount.objects.filter(pk=payer.pk)
    if payer.is_charged and amount > 0:
        rows = rows.alias(available=_AVAILABLE).filter(available__gte=amount - overdraft)
    moved = rows.update(held_nanos=F("held_nanos") + amount)
    assert moved, "the row is locked and was seen to have enough"


def _by_counter(holds: Iterable[Hold], sign: int = 1) -> dict[int, int]:
    amounts: defaultdict[int, int] = defaultdict(int)
    for hold in holds:
        for counter in hold.counters:
            amounts[counter] += sign * hold.amount_nanos
    return amounts


@dataclass(frozen=True, slots=True)
class Extension:
    """What an open hold was given of what it wanted; by_limit: a spend limit, not credit, kept it from more."""

    nanos: int
    by_limit: bool = False


def extend(account_id: int, wanted: Mapping[str, int], *, may_overdraw: bool = True) -> dict[str, Extension]:
    """Add to open holds of work that runs, in the mapping's order. wanted: nanos by subject.

    A prepaid account may be taken below zero by its overdraft, if `may_overdraw`, a trial account never. Limits don't
    stop what runs, unless the account wants that (`stops_at_limit`).  Source: billing.md 8.1, 8.3.
    """
    if not wanted:
        return {}
    with transaction.atomic():
        now, payer = timezone.now(), accounts.lock(account_id)
        running = counters.current(account_id, now)
        holds = Hold.objects.filter(subject__in=wanted, account_id=account_id, state=Hold.State.OPEN).in_bulk()
        overdraft = payer.overdraft_nanos if may_overdraw and payer.mode == BillingAccount.Mode.PREPAID else 0
        left = payer.available_nanos + overdraft
        given: dict[str, Extension] = {}
        for subject, amount in wanted.items():
            if subject not in holds:
                continue
            own = [counter for counter in running if counter.pk in holds[subject].counters]
            by_credit = min(amount, left) if payer.is_charged else amount
            rooms = [_room(counter) for counter in own if counter.limit.is_hard and payer.stops_at_limit]
            nanos = max(0, min([by_credit, *rooms]))
            given[subject] = Extension(nanos, by_limit=nanos < by_credit)
            left -= nanos
            for counter in own:
                counter.held_nanos += nanos
        grown = [
            Hold(subject=pk, counters=holds[pk].counters, amount_nanos=one.nanos)
            for pk, one in given.items()
            if one.nanos
        ]
        _grow(payer, grown, overdraft)
    return given


def _grow(payer: BillingAccount, grown: Sequence[Hold], overdraft: int) -> None:
    """Add to holds; `grown` has what is added."""
    if not grown:
        return
    _hold_on_account(payer, sum(hold.amount_nanos for hold in grown), overdraft=overdraft)
    counters.hold(_by_counter(grown))
    for hold in grown:
        Hold.objects.filter(pk=hold.pk).update(amount_nanos=F("amount_nanos") + hold.amount_nanos)


def settle_many(amounts: Mapping[str, int]) -> None:
    """Resolve holds of subjects whose usage is posted: what each is charged now, in nanos; 0 for nothing.

    Called in the posting's transaction, with the account locked and the records' `posting` set: what limits have
    counted moves from held to spent, also for subjects without a hold. An instance's hold shrinks and stays open.
    """
    open_holds = Hold.objects.filter(subject__in=amounts, state=Hold.State.OPEN)
    _resolve(list(open_holds.order_by("subject")), amounts)
    limited = UsageRecord.objects.filter(account__in=SpendLimit.objects.values("account"))
    records = limited.filter(subject__in=amounts, posting__seq=F("account__billing__posting_count"))
    by_account: defaultdict[int, list[UsageRecord]] = defaultdict(list)
    for record in records:
        by_account[record.account_id].append(record)
    for account_id, posted in by_account.items():
        counters.spend(account_id, posted)


def _resolve(holds: Sequence[Hold], amounts: Mapping[str, int]) -> None:
    freed: list[Hold] = []
    for hold in holds:
        if hold.subject.startswith(_ROLLING):
            part = max(0, min(hold.amount_nanos, amounts[hold.subject]))
            Hold.objects.filter(pk=hold.pk).update(amount_nanos=F("amount_nanos") - part)
            freed.append(Hold(account_id=hold.account_id, counters=hold.counters, amount_nanos=part))
        else:
            freed.append(hold)
    resolved = [hold.subject for hold in holds if not hold.subject.startswith(_ROLLING)]
    Hold.objects.filter(subject__in=resolved).update(state=Hold.State.SETTLED, resolved_at=timezone.now())
    _let_go(freed)


def reserve(payer: BillingAccount, subject: str, amount_nanos: int) -> None:
    """Hold credit for what is no work and counts on no limit, of a locked account; until `release`.

    For money on its way back to a card, and for a disputed payment's.  Source: billing.md 11.2, 11.3.
    """
    if amount_nanos:
        Hold.objects.create(subject=subject, account_id=payer.pk, amount_nanos=amount_nanos)
        BillingAccount.objects.filter(pk=payer.pk).update(held_nanos=F("held_nanos") + amount_nanos)
        accounts.tell_changed(payer.pk)


def release(subject: str) -> bool:
    """Let go of a hold whose work will not be charged; False if it was resolved before, or never was."""
    with transaction.atomic():
        hold = Hold.objects.filter(subject=subject, state=Hold.State.OPEN).first()
        if hold is None:
            return False
        accounts.lock(hold.account_id)
        hold = Hold.objects.filter(subject=subject, state=Hold.State.OPEN).first()  # as it is under the lock
        if hold is None:
            return False
        Hold.objects.filter(pk=subject).update(state=Hold.State.RELEASED, resolved_at=timezone.now())
        _let_go([hold])
        return True


def _let_go(freed: Sequence[Hold]) -> None:
    by_account: defaultdict[int, int] = defaultdict(int)
    for hold in freed:
        by_account[hold.account_id] += hold.amount_nanos
    for account_id, amount in sorted(by_account.items()):
        BillingAccount.objects.filter(pk=account_id).update(held_nanos=F("held_nanos") - amount)
    counters.hold(_by_counter(freed, -1))
