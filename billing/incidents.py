"""Refund what an incident spoiled: choose runs, look at the sum, propose, confirm, carry out.  Source: billing.md 11.1.

Carried out twice, or after a process died in the middle, each run is refunded once: a refund gives what is left.
"""

import datetime
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction
from django.db.models import Count, F, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts import audit
from accounts.models import User
from billing.models import RefundProposal, UsageRecord
from billing.money import Nanos, in_words
from billing.refunds import refund_usage
from marketplace.lib.problems import Conflict, FieldError, ValidationFailed

TWO_PERSON_NANOS = 100_000_000_000  # above it a second operator confirms
State = RefundProposal.State


@dataclass(frozen=True, slots=True)
class Incident:
    """Which usage it spoiled; what is empty doesn't matter. since, until: aware, of the runs' ends; until excluded.

    subjects: `prediction/<id>`; who knows on which host they ran names them so.
    """

    since: datetime.datetime
    until: datetime.datetime
    model_name: str = ""
    version_id: str = ""
    hardware: str = ""
    subjects: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a refund would be, if made now."""

    accounts: int
    runs: int
    amount_nanos: Nanos


def preview(incident: Incident) -> Preview:
    """The sums of what is left to refund."""
    sums = _charged(incident).aggregate(
        accounts=Count("account", distinct=True), runs=Count("subject", distinct=True), total=Sum("left", default=0)
    )
    return Preview(sums["accounts"], sums["runs"], Nanos(int(sums["total"])))


def propose(actor: User, incident: Incident, *, reason: str) -> RefundProposal:
    """Propose the refund; up to 100 dollars it is confirmed at once.

    Raises ValidationFailed where a member is wrong, or nothing is left to refund.
    """
    if not incident.since < incident.until:
        raise ValidationFailed([FieldError("/until", "Must be later than since.")])
    if not reason.strip():
        raise ValidationFailed([FieldError("/reason", "Say why: customers read it.")])
    sums = preview(incident)
    if not sums.amount_nanos:
        raise ValidationFailed([FieldError("/since", "Nothing that was charged is left to refund there.")])
    with transaction.atomic():
        proposal = RefundProposal.objects.create(
            criteria=_as_criteria(incident),
            reason=reason,
            accounts=sums.accounts,
            runs=sums.runs,
            amount_nanos=sums.amount_nanos,
            proposed_by=actor,
        )
        _audit(actor, "propose_refund", proposal)
        if sums.amount_nanos <= TWO_PERSON_NANOS:
            _decide(actor, proposal, State.CONFIRMED)
    return proposal


def confirm(actor: User, proposal_id: str) -> RefundProposal:
    """Have it carried out. Raises Conflict if it was decided before, or if the actor proposed it."""
    return _decide_once(actor, proposal_id, State.CONFIRMED)


def reject(actor: User, proposal_id: str) -> RefundProposal:
    """Drop it; its proposer may too. Raises Conflict if it was decided before."""
    return _decide_once(actor, proposal_id, State.REJECTED)


def carry_out(proposal: RefundProposal) -> int:
    """Refund the runs of a confirmed proposal; how many usage records this time. Twice refunds once."""
    refunded = 0
    for record in _charged(_of_criteria(proposal.criteria), before=proposal.created_at).order_by("pk").iterator():
        refunded += refund_usage(record, reason=proposal.reason) is not None
    RefundProposal.objects.filter(pk=proposal.pk, state=State.CONFIRMED).update(
        state=State.DONE, done_at=timezone.now()
    )
    return refunded


def finish_confirmed() -> int:
    """Carry out what was confirmed and is not done; how many proposals."""
    waiting = list(RefundProposal.objects.filter(state=State.CONFIRMED).order_by("created_at"))
    for proposal in waiting:
        carry_out(proposal)
    return len(waiting)


def _charged(incident: Incident, *, before: datetime.datetime | None = None) -> QuerySet[UsageRecord, Any]:
    """Records with something left to refund; before: only those written until then."""
    records = UsageRecord.objects.filter(
        corrects=None, amount_nanos__gt=0, occurred_at__gte=incident.since, occurred_at__lt=incident.until
    )
    for column in ("model_name", "version_id", "hardware"):
        if wanted := getattr(incident, column):
            records = records.filter(**{column: wanted})
    if incident.subjects is not None:
        records = records.filter(subject__in=incident.subjects)
    if before is not None:
        records = records.filter(created_at__lte=before)
    refunded = Coalesce(Sum("corrections__amount_nanos"), 0)
    return records.annotate(left=F("amount_nanos") + refunded).filter(left__gt=0)


def _decide_once(actor: User, proposal_id: str, state: State) -> RefundProposal:
    with transaction.atomic():
        proposal = RefundProposal.objects.select_for_update(no_key=True).get(pk=proposal_id)
        if proposal.state != State.PROPOSED:
            raise Conflict(f"This refund is {proposal.state} already.")
        if state == State.CONFIRMED and proposal.proposed_by_id == actor.pk:
            raise Conflict(f"Above {in_words(TWO_PERSON_NANOS)} somebody else confirms.")
        _decide(actor, proposal, state)
    return proposal


def _decide(actor: User, proposal: RefundProposal, state: State) -> None:
    proposal.state, proposal.decided_by, proposal.decided_at = state, actor, timezone.now()
    proposal.save(update_fields=["state", "decided_by", "decided_at"])
    _audit(actor, "confirm_refund" if state == State.CONFIRMED else "reject_refund", proposal)


def _audit(actor: User, action: str, proposal: RefundProposal) -> None:
    details = {"runs": proposal.runs, "amount": in_words(proposal.amount_nanos)}
    audit.record(actor, action, f"refund/{proposal.pk}", reason=proposal.reason, **details)


def _as_criteria(incident: Incident) -> dict[str, Any]:
    return {**asdict(incident), "since": incident.since.isoformat(), "until": incident.until.isoformat()}


def _of_criteria(criteria: dict[str, Any]) -> Incident:
    subjects = criteria["subjects"]
    return Incident(
        since=datetime.datetime.fromisoformat(criteria["since"]),
        until=datetime.datetime.fromisoformat(criteria["until"]),
        model_name=criteria["model_name"],
        version_id=criteria["version_id"],
        hardware=criteria["hardware"],
        subjects=None if subjects is None else tuple(subjects),
    )
