"""What is charged for how a run ended, as data: rating goes by this table, and the API and a page show it.

Source: billing.md 4.3, 4.4.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from billing.classes import BillingClass, FaultClass

SETUP_FAILURES_CHARGED = 3  # in a row, of one version; after them setting up is free, and boots stop
BEAT_GAP_SECONDS = 30  # an instance that gives no sign of life for longer is not charged for that time
SEGMENT_SECONDS = 60  # instance time is cut into pieces no longer than this


class Charge(StrEnum):
    """What a run, or an instance, is charged for."""

    NOTHING = "nothing"
    TIME = "processing_time"
    UNITS = "delivered_units"
    INSTANCE_TIME = "instance_time"
    INSTANCE_TIME_BUT_BROKEN = "instance_time_minus_broken_segment"
    INSTANCE_TIME_TO_FAILURE = "instance_time_until_failure"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table. `faults` and `has_started` say which runs it is about; no faults: none by themselves.

    is_charged: does the run itself cost anything? note: what it adds, for people.
    """

    outcome: str
    title: str
    faults: frozenset[FaultClass]
    has_started: bool
    is_charged: bool
    instance: Charge = Charge.INSTANCE_TIME
    note: str = ""

    def charge(self, billing_class: BillingClass) -> Charge:
        """For a run of a class; for `dedicated`, whose runs cost nothing, what its instance is charged for."""
        if billing_class == BillingClass.DEDICATED:
            return self.instance
        if not self.is_charged:
            return Charge.NOTHING
        return Charge.UNITS if billing_class == BillingClass.UNIT else Charge.TIME


def _rule(
    outcome: str,
    title: str,
    *faults: FaultClass,
    has_started: bool = True,
    is_charged: bool = False,
    instance: Charge = Charge.INSTANCE_TIME,
    note: str = "",
) -> Rule:
    return Rule(outcome, title, frozenset(faults), has_started, is_charged, instance, note)


RULES: tuple[Rule, ...] = (
    _rule("succeeded", "It succeeded", FaultClass.NONE, is_charged=True),
    _rule(
        "failed_in_model",
        "The model stopped with an error, of its own or about the input",
        FaultClass.MODEL_ERROR,
        FaultClass.USER_INPUT,
        is_charged=True,
        note="Until the error. An input that is refused before the model sees it costs nothing.",
    ),
    _rule(
        "timed_out",
        "It ran into its time limit or deadline",
        FaultClass.TIMEOUT,
        is_charged=True,
        note="At most the limit.",
    ),
    _rule(
        "canceled",
        "You canceled it while it ran",
        FaultClass.USER_CANCEL,
        is_charged=True,
        note="Until the moment you asked; what the model takes to stop is free.",
    ),
    _rule(
        "platform_fault",
        "A fault of ours, or of the machine it ran on",
        FaultClass.PLATFORM,
        FaultClass.HOST,
        instance=Charge.INSTANCE_TIME_BUT_BROKEN,
        note="When in doubt it counts as ours. Where a run is tried again only the try that succeeds is charged.",
    ),
    _rule("policy", "We ended it: the model was taken down, or the account suspended", FaultClass.POLICY),
    _rule("never_started", "It ended before it started", *FaultClass, has_started=False),
)

SETUP_RULES: tuple[Rule, ...] = (
    _rule(
        "setup_failed",
        "The model's own set-up failed",
        instance=Charge.INSTANCE_TIME_TO_FAILURE,
        note=f"After {SETUP_FAILURES_CHARGED} failures in a row of one version nothing more, and it is not started.",
    ),
    _rule("setup_failed_platform", "We could not set the model up", instance=Charge.NOTHING),
)

_BY_END: Mapping[tuple[FaultClass, bool], Rule] = {
    (fault, rule.has_started): rule for rule in RULES for fault in rule.faults
}

_VERDICTS: Mapping[FaultClass, str] = {
    FaultClass.USER_INPUT: "input",
    FaultClass.MODEL_ERROR: "model",
    FaultClass.USER_CANCEL: "user",
    FaultClass.TIMEOUT: "deadline",
    FaultClass.POLICY: "policy",
    FaultClass.HOST: "host",
    FaultClass.PLATFORM: "platform",
}


def rule_of(fault_class: str, *, has_started: bool) -> Rule:
    """The rule for a run that ended. has_started: an instance had it when it ended."""
    return _BY_END[FaultClass(fault_class), has_started]


def verdict_of(fault_class: str) -> str | None:
    """Whose doing it was, in one word: platform, host, model, input, policy, deadline, user. None of a success."""
    return _VERDICTS.get(FaultClass(fault_class))
