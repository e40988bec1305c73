"""Appeals: an account says that a run's verdict is wrong; an operator refunds it, or answers why not.

One for each run, by the account that paid for it.  Source: billing.md 11.2.
"""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import audit
from accounts.access import Caller
from accounts.models import User
from billing import accounts, refunds
from billing.models import FaultAppeal, UsageRecord
from marketplace.lib.problems import Conflict, FieldError, NotFound, ValidationFailed
from marketplace.lib.timestamps import timestamp

LONGEST_NOTE = 2000


def create(caller: Caller, run_id: str, note: str) -> FaultAppeal:
    """Appeal against what an ended run was charged, or why it is said to have failed.

    Raises NotFound for what is no ended run of the account's; ValidationFailed (note); Conflict for a second one.
    """
    subject = f"prediction/{run_id}"
    if not UsageRecord.objects.filter(subject=subject, account_id=caller.account_id).exists():
        raise NotFound
    note = note.replace("\x00", "\ufffd").strip()
    if not note or len(note) > LONGEST_NOTE:
        raise ValidationFailed([FieldError("/note", f"Say why, in at most {LONGEST_NOTE} characters.")])
    try:
        with transaction.atomic():
            return FaultAppeal.objects.create(subject=subject, account_id=caller.account_id, note=note)
    except IntegrityError as error:
        raise Conflict("There is an appeal for this run already.") from error


def find_appeal(caller: Caller, run_id: str) -> FaultAppeal | None:
    """The account's for this run."""
    return FaultAppeal.objects.filter(subject=f"prediction/{run_id}", account_id=caller.account_id).first()


def accept(actor: User, appeal: FaultAppeal, *, answer: str) -> None:
    """Refund all that the run cost. Raises Conflict once it is decided."""
    with transaction.atomic():
        accounts.lock(appeal.account_id)
        _decide(actor, appeal, FaultAppeal.State.ACCEPTED, answer)
        for record in UsageRecord.objects.filter(subject=appeal.subject, corrects=None).order_by("id"):
            refunds.refund_usage(record, reason=answer, actor=actor)


def reject(actor: User, appeal: FaultAppeal, *, answer: str) -> None:
    """The verdict stays; the answer says why. Raises Conflict once it is decided."""
    with transaction.atomic():
        _decide(actor, appeal, FaultAppeal.State.REJECTED, answer)


def _decide(actor: User, appeal: FaultAppeal, state: FaultAppeal.State, answer: str) -> None:
    open_one = FaultAppeal.objects.filter(pk=appeal.pk, state=FaultAppeal.State.OPEN)
    if not open_one.update(state=state, answer=answer, decided_at=timezone.now()):
        raise Conflict("This appeal was decided already.")
    audit.record(actor, f"appeal_{state}", appeal.subject, reason=answer)


def appeal_document(appeal: FaultAppeal) -> dict[str, Any]:
    """As the API shows it."""
    return {
        "prediction": appeal.subject.partition("/")[2],
        "state": str(appeal.state),
        "note": appeal.note,
        "answer": appeal.answer or None,
        "created_at": timestamp(appeal.created_at),
        "decided_at": timestamp(appeal.decided_at) if appeal.decided_at else None,
    }
