"""Appeals against verdicts in the operators' console, and the signed receipts of runs."""

from typing import ClassVar

from django.contrib import admin

from billing.console.shown import state_column
from billing.models import FaultAppeal, RunReceipt
from marketplace.lib.console import ReadOnlyAdmin


@admin.register(FaultAppeal)
class FaultAppealAdmin(ReadOnlyAdmin):
    """Accounts that say a run's failure was not theirs."""

    list_display: ClassVar = ["created_at", "account", "subject", "shown_state", "note", "decided_at"]
    list_filter: ClassVar = ["state"]
    list_select_related: ClassVar = ["account"]
    search_fields: ClassVar = ["=subject", "account__username", "note"]
    ordering: ClassVar = ["-state", "created_at"]
    shown_state = state_column("state", "State")


@admin.register(RunReceipt)
class RunReceiptAdmin(ReadOnlyAdmin):
    """Signed receipts, chained by account."""

    list_display: ClassVar = ["created_at", "account", "seq", "subject", "key_id"]
    list_select_related: ClassVar = ["account"]
    search_fields: ClassVar = ["=subject", "account__username", "=digest"]
    ordering: ClassVar = ["-created_at"]
