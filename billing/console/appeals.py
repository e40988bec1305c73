"""Appeals against verdicts in the operators' console, and the signed receipts of runs."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action

from accounts.access import operator_of
from billing import appeals
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
    actions_detail: ClassVar = ["accept", "reject"]
    shown_state = state_column("state", "State")

    def offers(self, action: str, row: Any) -> bool:
        """Until it is decided."""
        return bool(row and row.state == FaultAppeal.State.OPEN)

    @action(description="Refund the run…", url_path="accept", icon="undo")
    def accept(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the answer, then refund all that the run cost."""
        return self.with_reason(
            request,
            object_id,
            title="Refund {}",
            effect="All that the run cost is given back. The reason is the answer that the account reads.",
            done="{} is refunded.",
            verb=lambda appeal, answer: appeals.accept(operator_of(request), appeal, answer=answer),
        )

    @action(description="Reject…", url_path="reject", icon="block")
    def reject(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the answer; the charge stays."""
        return self.with_reason(
            request,
            object_id,
            title="Reject the appeal for {}",
            effect="The charge stays. The reason is the answer that the account reads.",
            done="The appeal for {} is rejected.",
            verb=lambda appeal, answer: appeals.reject(operator_of(request), appeal, answer=answer),
        )


@admin.register(RunReceipt)
class RunReceiptAdmin(ReadOnlyAdmin):
    """Signed receipts, chained by account."""

    list_display: ClassVar = ["created_at", "account", "seq", "subject", "key_id"]
    list_select_related: ClassVar = ["account"]
    search_fields: ClassVar = ["=subject", "account__username", "=digest"]
    ordering: ClassVar = ["-created_at"]
