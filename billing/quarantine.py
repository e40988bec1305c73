"""Usage that can't be right: kept, not charged, and decided by an operator.  Source: billing.md 4.2, 7.6."""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.models import User
from billing.models import QuarantinedUsage, UsageRecord
from billing.rating import charge
from marketplace.lib.problems import Conflict, FieldError, ValidationFailed

_CLOCK_SLACK_US = 2_000_000
_LIMIT_SLACK_US = 30_000_000
MOST_US = 10**14  # three years


def doubt_about(predict_us: int, *, observed_us: int, limit_us: int) -> str:
    """Why a processing time can't be right; "" for one that can.

    observed_us: from the start to the end as the database saw them. limit_us: the run's time limit, 0 for none.
    """
    if predict_us < 0:
        return "its processing time is below zero"
    if predict_us > observed_us + _CLOCK_SLACK_US:
        return f"its processing time is {predict_us} µs, and from its start to its end were {observed_us} µs"
    if limit_us and predict_us > limit_us + _LIMIT_SLACK_US:
        return f"its processing time is {predict_us} µs, and its limit {limit_us} µs"
    return ""


def doubtful(record: UsageRecord, *, why: str, quantity: int | None) -> QuarantinedUsage:
    """What is to be kept of a record that is not believed. quantity: as it was told, None where it was no amount."""
    return QuarantinedUsage(
        key=record.key,
        account_id=record.account_id,
        subject=record.subject,
        meter=record.meter,
        quantity=quantity,
        price=record.price,
        why=why,
    )


def keep_many(rows: Sequence[QuarantinedUsage]) -> None:
    """Keep them, once a key. In the transaction that writes what was charged instead."""
    QuarantinedUsage.objects.bulk_create(rows, ignore_conflicts=True)


def bill(actor: User, row: QuarantinedUsage, *, quantity: int | None = None, reason: str) -> UsageRecord:
    """Charge it, as it was told or corrected, as a further record of the same run or instance.

    quantity: in the meter's base units. Raises Conflict once it is decided, ValidationFailed without a quantity.
    """
    with transaction.atomic():
        found = _open(row)
        amount = found.quantity if quantity is None else quantity
        if amount is None or not 0 <= amount <= MOST_US:
            raise ValidationFailed([FieldError("/quantity", "Say how much shall be charged, from 0 on.")])
        like = UsageRecord.objects.filter(subject=found.subject).order_by("id")[0]
        cost = charge(amount, found.price)
        now = timezone.now()
        record, _ = UsageRecord.objects.get_or_create(
            key=f"{found.key}:q",
            defaults={
                "account_id": found.account_id,
                "subject": found.subject,
                "meter": found.meter,
                "quantity": amount,
                "price": found.price,
                "currency": found.price.currency,
                "gross_nanos": cost,
                "amount_nanos": cost,
                "occurred_at": now,
                "period": f"{now:%Y-%m}",  # the run's may be closed
                "reason": reason,
                **{
                    name: getattr(like, name)
                    for name in (
                        "billing_class",
                        "model_name",
                        "version_id",
                        "hardware",
                        "deployment_name",
                        "token_id",
                        "user_id",
                        "fault_class",
                    )
                },
            },
        )
        _decide(actor, found, QuarantinedUsage.State.BILLED, reason, quantity=amount)
    return record


def drop(actor: User, row: QuarantinedUsage, *, reason: str) -> None:
    """Charge nothing for it. Raises Conflict once it is decided."""
    with transaction.atomic():
        _decide(actor, _open(row), QuarantinedUsage.State.DROPPED, reason)


def _open(row: QuarantinedUsage) -> QuarantinedUsage:
    found = QuarantinedUsage.objects.select_for_update(of=("self",)).select_related("price").get(pk=row.pk)
    if found.state != QuarantinedUsage.State.OPEN:
        raise Conflict("This was decided already.")
    return found


def _decide(actor: User, row: QuarantinedUsage, state: QuarantinedUsage.State, answer: str, **details: int) -> None:
    QuarantinedUsage.objects.filter(pk=row.pk).update(
        state=state, answer=answer, decided_by=actor, decided_at=timezone.now()
    )
    audit.record(actor, f"quarantine_{state}", f"usage/{row.key}", reason=answer, **details)
