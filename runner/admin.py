"""Running in the operators' console: hosts, instances, predictions, builds; not people's inputs and outputs."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display

from accounts.access import operator_of
from marketplace.lib.console import ReadOnlyAdmin
from runner import hosts, interventions
from runner.models import Build, Host, Instance, Prediction
from runner.states import INSTANCE_ENDED

_STATE_COLOURS = {
    "online": "success", "ready": "success", "busy": "info",
    "succeeded": "success", "processing": "info", "running": "info",
    "cordoned": "warning", "draining": "warning", "starting": "warning", "setup": "warning", "queued": "warning",
    "lost": "danger", "failed": "danger",
}  # fmt: skip


@admin.register(Host)
class HostAdmin(ReadOnlyAdmin):
    """Machines. A cordoned one takes no new instances."""

    list_display: ClassVar = ["name", "backend", "shown_status", "shown_size", "last_seen_at", "notes"]
    list_filter: ClassVar = ["status"]
    actions_detail: ClassVar = ["cordon", "uncordon"]

    def offers(self, action: str, row: Any) -> bool:
        """One or the other."""
        return bool(row and row.status == Host.Status.CORDONED) == (action == "uncordon")

    @display(description="Status", label=_STATE_COLOURS, ordering="status")
    def shown_status(self, host: Host) -> str:
        """Coloured."""
        return host.status

    @display(description="Offers")
    def shown_size(self, host: Host) -> str:
        """Processor time, memory, GPUs."""
        return f"{host.cpu_millis / 1000:g} CPU, {host.memory_bytes / 2**30:.1f} GiB, {host.gpus} GPU"

    @action(description="Cordon…", url_path="cordon", icon="front_hand")
    def cordon(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then cordon."""
        effect = "No new instances start on {}. What runs there goes on until it is done."
        return self._set_cordon(request, object_id, True, "Cordon {}", effect)

    @action(description="Uncordon…", url_path="uncordon", icon="check_circle")
    def uncordon(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then lift the cordon."""
        return self._set_cordon(request, object_id, False, "Uncordon {}", "New instances may start on {} again.")

    def _set_cordon(
        self, request: HttpRequest, object_id: str, is_cordoned: bool, title: str, effect: str
    ) -> HttpResponse:
        return self.with_reason(
            request,
            object_id,
            title=title,
            effect=effect,
            done="{} is cordoned." if is_cordoned else "{} takes new instances.",
            verb=lambda host, reason: hosts.set_cordon(
                operator_of(request), host, is_cordoned=is_cordoned, reason=reason
            ),
        )


@admin.register(Instance)
class InstanceAdmin(ReadOnlyAdmin):
    """Running and ended copies of versions."""

    list_display: ClassVar = ["id", "shown_model", "shown_state", "host", "hardware", "created_at", "stopped_at"]
    list_filter: ClassVar = ["state", "host", "hardware"]
    list_select_related: ClassVar = ["version__model__account", "host", "hardware"]
    search_fields: ClassVar = ["id", "version__id", "version__model__name"]
    ordering: ClassVar = ["-created_at"]
    hidden = ("handle",)
    actions_detail: ClassVar = ["stop"]

    def offers(self, action: str, row: Any) -> bool:
        """While it lives."""
        return bool(row and row.state not in INSTANCE_ENDED)

    @display(description="Model")
    def shown_model(self, instance: Instance) -> str:
        """And the version's beginning."""
        return f"{instance.version.model.full_name} {instance.version_id[:8]}"

    @display(description="State", label=_STATE_COLOURS, ordering="state")
    def shown_state(self, instance: Instance) -> str:
        """Coloured."""
        return instance.state

    @action(description="Stop…", url_path="stop", icon="stop_circle")
    def stop(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then have the runner stop it."""
        return self.with_reason(
            request,
            object_id,
            title="Stop instance {}",
            effect="The runner stops this instance now. What it is running goes back to the queue, and another "
            "instance may start where there is work.",
            done="The runner was asked to stop {}.",
            verb=lambda instance, reason: interventions.stop_instance(operator_of(request), instance, reason=reason),
        )


@admin.register(Prediction)
class PredictionAdmin(ReadOnlyAdmin):
    """Runs of all accounts: what, when, where, how it ended."""

    list_display: ClassVar = ["id", "shown_status", "account", "model_name", "source", "created_at", "shown_seconds"]
    list_filter: ClassVar = ["status", "source", "fault_class", "hardware"]
    list_select_related: ClassVar = ["account"]
    search_fields: ClassVar = ["=id", "=account__username", "=model_name"]
    ordering: ClassVar = ["-created_at"]
    hidden = (
        "input", "sealed_secrets", "output", "logs", "error", "stream_token", "claim", "webhook", "webhook_events",
        "is_webhook_legacy", "traceparent",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Prediction]:
        """Without the large columns, none of which is shown."""
        rows: QuerySet[Prediction] = super().get_queryset(request)
        return rows.defer("input", "output", "logs", "error", "sealed_secrets")

    @display(description="Status", label=_STATE_COLOURS, ordering="status")
    def shown_status(self, prediction: Prediction) -> str:
        """Coloured."""
        return prediction.status

    @display(description="Ran for")
    def shown_seconds(self, prediction: Prediction) -> str:
        """Processing time."""
        seconds = prediction.metrics.get("predict_time")
        return "" if seconds is None else f"{seconds:.3f} s"


@admin.register(Build)
class BuildAdmin(ReadOnlyAdmin):
    """Builds of versions, with their logs."""

    list_display: ClassVar = ["id", "shown_status", "shown_model", "tries", "created_at", "completed_at"]
    list_filter: ClassVar = ["status"]
    list_select_related: ClassVar = ["version__model__account"]
    search_fields: ClassVar = ["version__id", "version__model__name"]
    hidden = ("claim",)

    @display(description="Status", label=_STATE_COLOURS, ordering="status")
    def shown_status(self, build: Build) -> str:
        """Coloured."""
        return build.status

    @display(description="Model")
    def shown_model(self, build: Build) -> str:
        """And the version's beginning."""
        return f"{build.version.model.full_name} {build.version_id[:8]}"
