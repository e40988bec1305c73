"""The ledger in the operators' console: postings with their entries, and the seals of its days."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.decorators import display

from billing.console.shown import money_column
from billing.models import DaySeal, LedgerBalance, LedgerEntry, LedgerTxn
from billing.money import in_words
from marketplace.lib.console import ReadOnlyAdmin


@admin.register(LedgerTxn)
class LedgerTxnAdmin(ReadOnlyAdmin):
    """Postings, each with its entries."""

    list_display: ClassVar = ["effective_at", "kind", "key", "corrects"]
    list_filter: ClassVar = ["kind"]
    list_select_related: ClassVar = ["corrects"]
    search_fields: ClassVar = ["=key", "=entries__code"]
    ordering: ClassVar = ["-id"]
    change_form_after_template = "console/_ledger_txn.html"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """With its entries."""
        entries = LedgerEntry.objects.filter(txn_id=int(object_id) if object_id.isdecimal() else 0)
        extra = {**(extra_context or {}), "entries": entries.order_by("-amount_nanos", "code")}
        answer: HttpResponse = super().change_view(request, object_id, form_url, extra)
        return answer


@admin.register(LedgerBalance)
class LedgerBalanceAdmin(ReadOnlyAdmin):
    """What the ledger's accounts add up to: debits above zero."""

    list_display: ClassVar = ["code", "currency", "shard", "shown_balance", "entry_count"]
    search_fields: ClassVar = ["code"]
    ordering: ClassVar = ["code", "currency", "shard"]
    shown_balance = money_column("posted_nanos", "Balance")


@admin.register(DaySeal)
class DaySealAdmin(ReadOnlyAdmin):
    """Closed days, each chained to the one before."""

    list_display: ClassVar = ["day", "txn_count", "entry_count", "shown_debits", "digest"]
    ordering: ClassVar = ["-day"]

    hidden = ("debit_nanos",)

    @display(description="Moved")
    def shown_debits(self, seal: DaySeal) -> str:
        """All debits of the day, which may be more than any one amount can be."""
        return in_words(int(seal.debit_nanos))
