"""Why a prediction went as it did: every move with its cause, why it waits, what hosts there are, what it cost.

Pure: facts in, explanation out. `explanation_facts` reads the facts.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.placement import Size
from runner.queueing import WaitingReason
from runner.states import FaultClass, Status

_FAILURES = {
    FaultClass.USER_INPUT: "Failed: the model could not use its input.",
    FaultClass.MODEL_ERROR: "Failed: by an error of the model's own.",
    FaultClass.TIMEOUT: "Failed: it ran longer than this site allows.",
}
_OURS = (FaultClass.PLATFORM, FaultClass.HOST, FaultClass.POLICY)
_CANCELS = {
    FaultClass.USER_CANCEL: "Canceled, as was asked.",
    FaultClass.TIMEOUT: "Canceled: its deadline passed while it ran.",
}


@dataclass(frozen=True, slots=True)
class Move:
    """An entry of the event log. name: `started`, without what it happened to."""

    at: datetime.datetime
    name: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HostFacts:
    """A host at this moment. used: by all its instances. idle: the part of it that would be given up for others."""

    name: str
    status: str
    size: Size
    used: Size
    idle: Size


@dataclass(frozen=True, slots=True)
class Charge:
    """What the usage record says. quantity_us: microseconds charged. rate_nanos: per `per_us` of them."""

    quantity_us: int
    rate_nanos: int
    per_us: int
    amount_nanos: int
    currency: str = "usd"
    is_dedicated: bool = False  # the time of its instance is what is charged


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of one prediction or training. waiting, hosts, need: only while it waits."""

    status: str
    fault_class: str
    created_at: datetime.datetime
    started_at: datetime.datetime | None = None
    completed_at: datetime.datetime | None = None
    hardware: str = ""
    moves: Sequence[Move] = ()
    waiting: WaitingReason | None = None
    hosts: Sequence[HostFacts] = ()
    need: Size | None = None
    charge: Charge | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline."""

    at: datetime.datetime
    name: str
    sentence: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Considered:
    """What a host can do for it. code: has_room, makes_room, or why not."""

    name: str
    code: str
    sentence: str

    @property
    def is_refused(self) -> bool:
        """It can't go there now."""
        return self.code not in ("has_room", "makes_room")


@dataclass(frozen=True, slots=True)
class Explanation:
    """cost: None until it is charged, or was not."""

    timeline: list[Entry]
    waiting: WaitingReason | None
    hosts: list[Considered]
    charge: Charge | None
    cost: str | None


def explain(facts: Facts) -> Explanation:
    """All of it."""
    return Explanation(
        timeline=[Entry(move.at, move.name, _sentence(move, facts), move.data) for move in _all_moves(facts)],
        waiting=facts.waiting,
        hosts=[consider(host, facts.need) for host in facts.hosts] if facts.waiting and facts.need else [],
        charge=facts.charge,
        cost=_cost(facts),
    )


def consider(host: HostFacts, need: Size) -> Considered:
    """May an instance of that size go to the host?"""
    code, sentence = _verdict(host, need)
    return Considered(host.name, code, sentence)


def _verdict(host: HostFacts, need: Size) -> tuple[str, str]:
    free = host.size.minus(host.used)
    for is_so, code, sentence in (
        (host.status == "lost", "lost", "Its runner has not been heard of for a while."),
        (host.status == "cordoned", "cordoned", "An operator lets it take no new instances."),
        (need.gpus > host.size.gpus, "too_few_gpus", f"It has {host.size.gpus} GPUs, {need.gpus} are needed."),
        (
            need.memory_bytes > host.size.memory_bytes,
            "too_little_memory",
            f"It has {_gib(host.size)} of memory, {_gib(need)} are needed.",
        ),
        (
            need.cpu_millis > host.size.cpu_millis,
            "too_few_cpus",
            f"It has {host.size.cpu_millis / 1000:g} processors, {need.cpu_millis / 1000:g} are needed.",
        ),
        (free.holds(need), "has_room", "It has room."),
        (free.plus(host.idle).holds(need), "makes_room", "It stops idle instances to make room."),
    ):
        if is_so:
            return code, sentence
    return "full", "All its room is taken by instances that are at work."


def _gib(size: Size) -> str:
    return f"{size.memory_bytes / 2**30:.3g} GiB"


def _all_moves(facts: Facts) -> list[Move]:
    """The log's, and what the row tells where the log is no longer kept."""
    moves, told = list(facts.moves), {move.name for move in facts.moves}
    known = [
        ("created", facts.created_at),
        ("started", facts.started_at),
        (facts.status, facts.completed_at),
    ]
    moves += [Move(at, name) for name, at in known if at and name not in told]
    return sorted(moves, key=lambda move: move.at)


def _sentence(move: Move, facts: Facts) -> str:
    cause = move.data.get("cause")
    match move.name:
        case "created":
            return "Accepted."
        case "started":
            return _start(move.data)
        case "requeued":
            return f"Back to the queue, that try is free: {cause}."
        case "given_back":
            return f"Back to the queue untouched: {cause}."
        case "cancel_requested":
            return "Somebody asked to cancel it."
        case Status.SUCCEEDED:
            return "Succeeded."
        case Status.FAILED:
            return _end("Failed", _FAILURES, cause, facts)
        case Status.CANCELED:
            return _end("Canceled", _CANCELS, cause, facts)
        case "refund.issued":
            return "What it cost was given back, wholly or in part."
        case Status.ABORTED:
            return f"Given up before it started: {cause or 'its deadline passed'}."
    return f"{move.name.replace('_', ' ').capitalize()}."


def _start(data: dict[str, Any]) -> str:
    where = f" on host {data['host']}" if data.get("host") else ""
    again = f", try {data['try']}" if data.get("try", 1) > 1 else ""
    return f"Started{where}{again}."


def _end(word: str, by_fault: dict[FaultClass, str], cause: str | None, facts: Facts) -> str:
    if known := by_fault.get(FaultClass(facts.fault_class)):
        return known
    if facts.fault_class in _OURS:
        return f"{word}, by no fault of yours or the model's{f': {cause}' if cause else ''}."
    return f"{word}{f': {cause}' if cause else ''}."


def _cost(facts: Facts) -> str | None:
    """Whether and why it is charged.  Source: billing.md 4.3."""
    charge = facts.charge
    if charge is None:
        return None
    if facts.started_at is None:
        return "Free: it never started."
    if facts.fault_class in _OURS:
        return "Free: what the platform spoils is not charged."
    if charge.is_dedicated:
        return "Not charged by itself: it ran on an instance whose online time is charged."
    if charge.amount_nanos == 0:
        return f"Free: {facts.hardware} costs nothing." if charge.rate_nanos == 0 else "Free: it took no time."
    return f"Charged for {charge.quantity_us / 1_000_000:.6f} s of {facts.hardware}{_although(facts)}."


def _although(facts: Facts) -> str:
    match facts.fault_class:
        case FaultClass.MODEL_ERROR | FaultClass.USER_INPUT:
            return ", as it ran until the model failed"
        case FaultClass.USER_CANCEL:
            return ", until it was canceled"
        case FaultClass.TIMEOUT:
            return ", until its time was over"
    return ""
