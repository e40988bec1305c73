"""What the pages of deployments show: how one stands, its instances, its releases."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Q

from runner.models import Deployment, Instance, Prediction, Release
from runner.states import INSTANCE_ENDED, INSTANCE_UP, Status

_SHOWN = {  # state → as stylesheets know it, and for people
    "starting": ("starting", "Starting"),
    "setup": ("starting", "Setting up"),
    "ready": ("ready", "Idle"),
    "busy": ("running", "Running"),
    "draining": ("canceled", "Finishing"),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How a deployment stands now."""

    deployment: Deployment
    up: int
    booting: int
    waiting: int  # predictions

    @property
    def current(self) -> Release:
        """What its owner asked for last."""
        assert self.deployment.current_release is not None
        return self.deployment.current_release

    @property
    def state(self) -> str:
        """As stylesheets know it."""
        if self.deployment.is_rolling:
            return "failed" if self.current.error else "starting"
        if self.current.max_instances == 0:
            return "canceled"
        if self.current.error and not self.up:
            return "failed"
        return "ready" if self.up else "starting" if self.booting else "idle"

    @property
    def words(self) -> str:
        """For people."""
        if self.deployment.is_rolling:
            return "Release can't be set up" if self.current.error else "Rolling out"
        if self.current.max_instances == 0:
            return "Switched off"
        if self.current.error and not self.up:
            return "Can't be set up"
        return "Ready" if self.up else "Starting" if self.booting else "Idle, no instances"


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """One instance on a page."""

    instance: Instance
    status: str
    words: str
    serves: bool  # predictions made now go to its like


def standings(deployments: Sequence[Deployment]) -> list[Standing]:
    """How several stand; two queries for all."""
    states: dict[int | None, Counter[str]] = {}
    live = Instance.objects.filter(deployment__in=deployments).exclude(state__in=INSTANCE_ENDED)
    for deployment_id, state, number in live.values_list("deployment_id", "state").annotate(number=Count("pk")):
        states.setdefault(deployment_id, Counter())[state] += number
    queued = Prediction.objects.filter(deployment__in=deployments, status=Status.STARTING, claim="").order_by()
    waiting = dict(queued.values_list("deployment_id").annotate(number=Count("pk")))
    return [_standing(row, states.get(row.pk, Counter()), waiting.get(row.pk, 0)) for row in deployments]


def _standing(deployment: Deployment, states: Counter[str], waiting: int) -> Standing:
    booting = states["starting"] + states["setup"]
    return Standing(deployment, sum(states[state] for state in INSTANCE_UP), booting, waiting)


def instance_rows(deployment: Deployment) -> list[InstanceRow]:
    """Its instances that have not ended, those that serve first."""
    rows = deployment.instances.exclude(state__in=INSTANCE_ENDED).select_related("host").order_by("created_at")
    serving = deployment.serving_release
    shown = [
        InstanceRow(row, *_SHOWN[row.state], serves=serving is not None and row.pool == serving.pool) for row in rows
    ]
    return sorted(shown, key=lambda row: not row.serves)


def recent_failures(deployment: Deployment) -> list[Instance]:
    """The last instances that could not be set up, newest first, with their logs."""
    failed = deployment.instances.filter(Q(ready_at=None), state="failed").exclude(setup_logs="", error="")
    return list(failed.order_by("-created_at")[:1])
