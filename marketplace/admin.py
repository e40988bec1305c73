"""Moderation in the operators' console: reports and models. Here because taking a model down is a flow across rooms."""

from typing import Any, ClassVar

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import action, display

from accounts.access import operator_of
from marketplace import takedown
from marketplace.lib.console import ReadOnlyAdmin
from models_catalog import moderation
from models_catalog.models import Model, Report

admin.site.index_title = "Now"
# Operators sign in like everybody: one form, one rate limit.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    """The queue of reports: what was said, and what to do about it."""

    list_display: ClassVar = ["created_at", "category", "shown_model", "shown_status", "reporter"]
    list_filter: ClassVar = ["status", "category"]
    list_select_related: ClassVar = ["model__account", "reporter"]
    search_fields: ClassVar = ["model__name", "model__account__username", "text"]
    ordering: ClassVar = ["-status", "created_at"]  # open ones first, the oldest of them first
    actions_detail: ClassVar = ["dismiss", "hide"]

    def offers(self, action: str, row: Any) -> bool:
        """While nobody has decided, and to hide what is seen."""
        is_open = bool(row and row.status == Report.Status.OPEN)
        return is_open and (action != "hide" or not row.model.is_hidden)

    @display(description="Model")
    def shown_model(self, report: Report) -> str:
        """A link to its page in the console."""
        address = reverse("admin:models_catalog_model_change", args=[report.model_id])
        return format_html('<a href="{}">{}</a>', address, report.model.full_name)

    @display(description="Status", label={"Open": "warning", "Acted on": "success"}, ordering="status")
    def shown_status(self, report: Report) -> str:
        """Coloured."""
        return str(report.get_status_display())

    @action(description="Dismiss…", url_path="dismiss", icon="thumb_down")
    def dismiss(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then close the report."""
        return self.with_reason(
            request,
            object_id,
            title="Dismiss the report “{}”",
            effect="The report is closed and the model stays as it is.",
            done="Dismissed: {}.",
            verb=lambda report, reason: moderation.dismiss(operator_of(request), report, reason=reason),
        )

    @action(description="Hide the model…", url_path="hide", icon="visibility_off")
    def hide(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then take the model down."""
        return self.with_reason(
            request,
            object_id,
            title="Hide the model of “{}”",
            effect=_HIDING,
            done="Acted on: {}.",
            verb=lambda report, reason: takedown.take_down(operator_of(request), report.model, reason=reason),
        )


_HIDING = (
    "Nobody but the owner sees the model, nobody can run it, and what runs of it is canceled free of charge. The owner "
    "reads your reason. All open reports about it are closed."
)


@admin.register(Model)
class ModelAdmin(ReadOnlyAdmin):
    """All models of all visibilities."""

    list_display: ClassVar = ["full_name", "shown_visibility", "hardware", "run_count", "is_official", "created_at"]
    list_filter: ClassVar = ["visibility", ("hidden_at", admin.EmptyFieldListFilter), "is_official", "hardware"]
    list_select_related: ClassVar = ["account"]
    search_fields: ClassVar = ["name", "account__username", "description"]
    ordering: ClassVar = ["-created_at"]
    hidden = ("search_document",)
    actions_detail: ClassVar = ["hide", "restore"]

    def offers(self, action: str, row: Any) -> bool:
        """One or the other; nothing for a deleted one."""
        is_deleted = bool(row and row.deleted_at)
        return not is_deleted and bool(row and row.is_hidden) == (action == "restore")

    @display(
        description="Seen by",
        label={
            "Nobody (deleted)": "warning",
            "Nobody (hidden)": "danger",
            "Owner": "info",
            "Everybody": "success",
        },
    )
    def shown_visibility(self, model: Model) -> str:
        """Who sees it."""
        if model.deleted_at:
            return "Nobody (deleted)"
        if model.is_hidden:
            return "Nobody (hidden)"
        return "Owner" if model.visibility == Model.Visibility.PRIVATE else "Everybody"

    @action(description="Hide…", url_path="hide", icon="visibility_off")
    def hide(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then take it down."""
        return self.with_reason(
            request,
            object_id,
            title="Hide {}",
            effect=_HIDING,
            done="{} is hidden.",
            verb=lambda model, reason: takedown.take_down(operator_of(request), model, reason=reason),
        )

    @action(description="Restore…", url_path="restore", icon="visibility")
    def restore(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then show it again."""
        return self.with_reason(
            request,
            object_id,
            title="Restore {}",
            effect="Everybody who could see {} before sees it again and can run it.",
            done="{} is restored.",
            verb=lambda model, reason: takedown.put_back(operator_of(request), model, reason=reason),
        )
