"""Invoices and publishers' shares in the operators' console."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from billing.console.shown import cents_column, money_column, state_column
from billing.models import Invoice, InvoiceLine, PublisherAgreement, PublisherPayout
from marketplace.lib.console import ReadOnlyAdmin


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin):
    """Invoices and statements with their lines. Once issued only the state moves."""

    list_display: ClassVar = [
        "number",
        "account",
        "kind",
        "period",
        "shown_state",
        "shown_total",
        "issued_at",
        "due_at",
    ]
    list_filter: ClassVar = ["state", "kind", "period"]
    list_select_related: ClassVar = ["account"]
    search_fields: ClassVar = ["=number", "=id", "account__username", "=stripe_invoice_id"]
    ordering: ClassVar = ["-issued_at"]
    change_form_after_template = "console/_invoice.html"
    shown_total = cents_column("total_cents", "Total")
    shown_state = state_column("state", "State")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """With its lines."""
        lines = InvoiceLine.objects.filter(invoice_id=object_id).select_related("price").order_by("position")
        extra = {**(extra_context or {}), "lines": lines}
        answer: HttpResponse = super().change_view(request, object_id, form_url, extra)
        return answer


@admin.register(PublisherAgreement)
class PublisherAgreementAdmin(ReadOnlyAdmin):
    """What publishers get of what others pay for their models."""

    list_display: ClassVar = ["owner", "model_name", "percent", "counts_promo", "hold_days", "effective_from"]
    list_select_related: ClassVar = ["owner"]
    search_fields: ClassVar = ["owner__username", "model_name"]
    ordering: ClassVar = ["owner", "-effective_from"]


@admin.register(PublisherPayout)
class PublisherPayoutAdmin(ReadOnlyAdmin):
    """What was paid to publishers."""

    list_display: ClassVar = ["created_at", "owner", "shown_amount", "reference", "created_by"]
    list_select_related: ClassVar = ["owner", "created_by"]
    search_fields: ClassVar = ["owner__username", "reference"]
    ordering: ClassVar = ["-created_at"]
    shown_amount = money_column("amount_nanos", "Amount")
