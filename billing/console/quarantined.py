"""Usage that can't be right in the operators' console: charged, corrected, or dropped."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.access import operator_of
from billing import quarantine
from billing.console.shown import state_column
from billing.models import QuarantinedUsage
from marketplace.lib.console import ReadOnlyAdmin, ReasonForm


class BillForm(ReasonForm):
    """How much is charged, and why."""

    quantity = forms.IntegerField(
        min_value=0,
        max_value=quarantine.MOST_US,
        widget=UnfoldAdminTextInputWidget,
        help_text="In the meter's base units: microseconds, milliseconds, images, tokens.",
    )


@admin.register(QuarantinedUsage)
class QuarantinedUsageAdmin(ReadOnlyAdmin):
    """Usage that was not charged since it can't be right. Charge it, corrected, or drop it."""

    list_display: ClassVar = ["created_at", "account", "subject", "meter", "quantity", "why", "shown_state"]
    list_filter: ClassVar = ["state", "meter"]
    list_select_related: ClassVar = ["account"]
    search_fields: ClassVar = ["=subject", "account__username"]
    ordering: ClassVar = ["-state", "created_at"]
    actions_detail: ClassVar = ["bill", "drop"]
    shown_state = state_column("state", "State")

    def offers(self, action: str, row: Any) -> bool:
        """Until it is decided."""
        return bool(row and row.state == QuarantinedUsage.State.OPEN)

    @action(description="Charge…", url_path="bill", icon="payments")
    def bill(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask how much and why, then charge it as a further line."""
        return self.with_form(
            request,
            object_id,
            form_class=BillForm,
            title="Charge {}",
            effect="The account is charged this quantity at the price that was pinned, with this month's usage.",
            done="{} is charged.",
            verb=lambda row, data: _bill(request, row, data),
            initial=lambda row: {"quantity": row.quantity},
        )

    @action(description="Drop…", url_path="drop", icon="delete")
    def drop(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then leave it uncharged."""
        return self.with_reason(
            request,
            object_id,
            title="Drop {}",
            effect="It stays uncharged.",
            done="{} is dropped.",
            verb=lambda row, reason: quarantine.drop(operator_of(request), row, reason=reason),
        )


def _bill(request: HttpRequest, row: QuarantinedUsage, data: dict[str, Any]) -> None:
    quarantine.bill(operator_of(request), row, quantity=data["quantity"], reason=data["reason"])
