"""What the operators' console shows on its first page: what runs, what waits and why, what needs a decision.

Reads only. The page and its updates are the same fragment.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.models import AuditEntry
from models_catalog.models import Report
from runner.models import Build, Host, Instance, Prediction
from runner.states import INSTANCE_ENDED, InstanceState, Status

_MOST_ROWS = 20


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's hook: the context of the console's index."""
    return {**context, **_now()}


def live(request: HttpRequest) -> HttpResponse:
    """The fragment alone, for the page that refreshes itself. Wrapped in the console's permission by urls."""
    response = render(request, "console/_now.html", _now())
    response.headers["Cache-Control"] = "no-store"
    return response


def _now() -> dict[str, Any]:
    running = Prediction.objects.filter(status=Status.PROCESSING)
    waiting = Prediction.objects.filter(status=Status.STARTING)
    instances = Instance.objects.exclude(state__in=INSTANCE_ENDED)
    open_reports = Report.objects.filter(status=Report.Status.OPEN)
    return {
        "now": timezone.now(),
        "hosts": Host.objects.order_by("name")[:_MOST_ROWS],
        "instances": instances.select_related("version__model__account", "host", "hardware").order_by("created_at")[
            :_MOST_ROWS
        ],
        "instance_count": instances.count(),
        "queue": _queue(waiting),
        "waiting_count": waiting.count(),
        "running_count": running.count(),
        "builds": Build.objects.filter(status__in=[Build.Status.QUEUED, Build.Status.RUNNING]).select_related(
            "version__model__account"
        )[:_MOST_ROWS],
        "reports": open_reports.select_related("model__account").order_by("created_at")[:_MOST_ROWS],
        "report_count": open_reports.count(),
        "audit": AuditEntry.objects.all()[:10],
    }


def _queue(waiting: Any) -> list[dict[str, Any]]:
    """Waiting predictions, oldest first, each with why it waits as far as rows tell."""
    rows = list(waiting.select_related("account").defer("input", "output", "logs").order_by("created_at")[:_MOST_ROWS])
    live_instances = Instance.objects.exclude(state__in=INSTANCE_ENDED)
    states: dict[str, set[str]] = {}
    for version_id, state in live_instances.filter(version__in={row.version_id for row in rows}).values_list(
        "version_id", "state"
    ):
        states.setdefault(version_id, set()).add(state)
    has_host = Host.objects.filter(status=Host.Status.ONLINE).exists()
    return [{"prediction": row, "reason": _why(states.get(row.version_id, set()), has_host)} for row in rows]


def _why(states: set[str], has_host: bool) -> str:
    if states & {InstanceState.READY, InstanceState.BUSY}:
        return "All instances of the model are busy"
    if states & {InstanceState.STARTING, InstanceState.SETUP}:
        return "An instance of the model is starting"
    return "No instance of the model yet; waiting for room" if has_host else "No host is online"
