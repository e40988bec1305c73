"""Accounts' funds in the operators' console: what each has, holds and owes, its limits, its ledger."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.access import operator_of
from billing import modes, statuses
from billing.console.shown import money_column, state_column
from billing.models import BillingAccount, Hold, SpendCounter, SpendLimit
from billing.money import NANOS_PER_UNIT, in_words
from billing.overview import list_buckets
from billing.statements import movements
from marketplace.lib.console import ReadOnlyAdmin, ReasonForm

_MOST_MOVEMENTS = 50
_MOST_HOLDS = 50


class ModeForm(ReasonForm):
    """How an account pays from now on."""

    mode = forms.ChoiceField(choices=BillingAccount.Mode.choices, label="Mode", widget=UnfoldAdminSelectWidget)
    credit_limit = forms.DecimalField(
        max_digits=11, decimal_places=2, min_value=0, required=False, label="Credit line in dollars",
        widget=UnfoldAdminTextInputWidget, help_text="How much a postpaid account may owe; empty for others.",
    )  # fmt: skip
    field_order = ("mode", "credit_limit", "reason")

    def clean(self) -> dict[str, Any]:
        """A line for postpaid, and for no other."""
        data = super().clean() or {}
        if "mode" in data and (data["mode"] == BillingAccount.Mode.POSTPAID) != bool(data.get("credit_limit")):
            self.add_error("credit_limit", "A postpaid account has one, above 0; no other has.")
        return data


class StatusForm(ReasonForm):
    """Whether an account may spend."""

    status = forms.ChoiceField(choices=BillingAccount.Status.choices, label="Status", widget=UnfoldAdminSelectWidget)
    field_order = ("status", "reason")


@admin.register(BillingAccount)
class BillingAccountAdmin(ReadOnlyAdmin):
    """Funds of all accounts that have any."""

    list_display: ClassVar = [
        "account", "mode", "shown_status", "shown_balance", "shown_held", "shown_owed", "shown_line",
    ]  # fmt: skip
    list_filter: ClassVar = ["mode", "status", "reload_enabled"]
    list_select_related: ClassVar = ["account"]
    search_fields: ClassVar = ["account__username", "=stripe_customer_id", "billing_email"]
    ordering: ClassVar = ["-created_at"]
    actions_detail: ClassVar = ["change_mode", "change_status"]
    change_form_after_template = "console/_billing_account.html"
    shown_status = state_column("status", "Status")
    shown_balance = money_column("spendable_nanos", "Credit")
    shown_held = money_column("held_nanos", "Held")
    shown_owed = money_column("owed_nanos", "Owed")
    shown_line = money_column("credit_limit_nanos", "Credit line")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """With what it has and what moved."""
        holds = Hold.objects.filter(account_id=object_id, state=Hold.State.OPEN) if object_id.isdecimal() else None
        extra = {} if holds is None else {
            "buckets": list_buckets(int(object_id)),
            "holds": holds.order_by("created_at")[:_MOST_HOLDS],
            "limits": SpendLimit.objects.filter(account_id=object_id).order_by("scope", "scope_key", "period"),
            "movements": movements(int(object_id), limit=_MOST_MOVEMENTS),
        }  # fmt: skip
        answer: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **extra})
        return answer

    @action(description="Change mode…", url_path="mode", icon="swap_horiz")
    def change_mode(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the mode and why."""
        return self.with_form(
            request,
            object_id,
            form_class=ModeForm,
            title="Change how {} pays",
            effect="Internal: metered, never charged. Trial and prepaid: what runs is taken from credit. Postpaid: it "
            "is invoiced. What was used until now is charged as the mode was.",
            done="The mode of {} is changed.",
            verb=lambda row, data: modes.change_mode(
                operator_of(request),
                row.account,
                mode=BillingAccount.Mode(data["mode"]),
                reason=data["reason"],
                credit_limit_nanos=int((data["credit_limit"] or 0) * NANOS_PER_UNIT),
            ),
            initial=lambda row: {"mode": row.mode},
        )

    @action(description="Change status…", url_path="status", icon="block")
    def change_status(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the status and why."""
        return self.with_form(
            request,
            object_id,
            form_class=StatusForm,
            title="Change what {} may spend",
            effect="Restricted: existing credit only, no new deployments. Suspended: no work; reading stays possible.",
            done="The status of {} is changed.",
            verb=lambda row, data: statuses.change_status(
                operator_of(request),
                row.account,
                status=BillingAccount.Status(data["status"]),
                reason=data["reason"],
            ),
            initial=lambda row: {"status": row.status},
        )


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin):
    """Money reserved for accepted work."""

    list_display: ClassVar = ["created_at", "account", "subject", "shown_amount", "shown_state", "resolved_at"]
    list_filter: ClassVar = ["state"]
    list_select_related: ClassVar = ["account"]
    search_fields: ClassVar = ["=subject", "account__username"]
    ordering: ClassVar = ["-created_at"]
    shown_amount = money_column("amount_nanos", "Amount")
    shown_state = state_column("state", "State")


@admin.register(SpendLimit)
class SpendLimitAdmin(ReadOnlyAdmin):
    """Limits that accounts have, or came with."""

    list_display: ClassVar = ["account", "scope", "scope_key", "period", "shown_limit", "is_hard", "created_at"]
    list_filter: ClassVar = ["scope", "period", "is_hard"]
    list_select_related: ClassVar = ["account"]
    search_fields: ClassVar = ["account__username", "scope_key"]
    ordering: ClassVar = ["account", "scope", "scope_key", "period"]
    shown_limit = money_column("limit_nanos", "Limit")


@admin.register(SpendCounter)
class SpendCounterAdmin(ReadOnlyAdmin):
    """What counted against limits, period by period."""

    list_display: ClassVar = [
        "starts_at", "shown_account", "limit", "shown_limit", "shown_spent", "shown_held", "warned_percent",
    ]  # fmt: skip
    list_filter: ClassVar = ["limit__period", "limit__scope"]
    list_select_related: ClassVar = ["limit__account"]
    search_fields: ClassVar = ["limit__account__username"]
    ordering: ClassVar = ["-starts_at", "-pk"]
    shown_spent = money_column("spent_nanos", "Spent")
    shown_held = money_column("held_nanos", "Held")

    @display(description="Account")
    def shown_account(self, counter: SpendCounter) -> str:
        """Whose it is."""
        return counter.limit.account.username

    @display(description="Of")
    def shown_limit(self, counter: SpendCounter) -> str:
        """How much it allows."""
        return in_words(counter.limit.limit_nanos)
