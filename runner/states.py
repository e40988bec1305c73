"""States of predictions and instances, and which moves are legal. Pure: no database, no clock.

Source: replicate-api.md 3.1; design.md, "Instances and hosts".
"""

from django.db import models

from billing.classes import FaultClass as FaultClass  # noqa: PLC0414 - one place to import from


class Status(models.TextChoices):
    """Where a prediction stands."""

    STARTING = "starting"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    ABORTED = "aborted"


TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELED, Status.ABORTED})

_MOVES: dict[str, frozenset[str]] = {
    # Back to `starting` is a requeue after a platform fault; outside it shows as still starting.
    Status.STARTING: frozenset({Status.PROCESSING, Status.FAILED, Status.CANCELED, Status.ABORTED}),
    Status.PROCESSING: frozenset({Status.STARTING, Status.SUCCEEDED, Status.FAILED, Status.CANCELED}),
}


def may_move(before: str, after: str) -> bool:
    """Is the move legal? Nothing leaves a terminal state."""
    return after in _MOVES.get(before, frozenset())


def stage(status: str) -> int:
    """How far along: 0 starting, 1 processing, 2 ended. Never decreases for a watcher."""
    return 2 if status in TERMINAL else int(status == Status.PROCESSING)


class InstanceState(models.TextChoices):
    """Where an instance stands."""

    STARTING = "starting"
    SETUP = "setup"
    READY = "ready"
    BUSY = "busy"
    DRAINING = "draining"
    STOPPED = "stopped"
    FAILED = "failed"


INSTANCE_ENDED = frozenset({InstanceState.STOPPED, InstanceState.FAILED})
INSTANCE_UP = frozenset({InstanceState.READY, InstanceState.BUSY})
