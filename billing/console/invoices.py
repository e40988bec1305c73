"""Invoices and publishers' shares in the operators' console."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action

from accounts.access import operator_of
from billing import invoice_settling, publisher_shares
from billing.console.amounts import AmountForm, cents_of
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
    actions_detail: ClassVar = ["pay_by_hand", "void", "write_off", "credit"]
    change_form_after_template = "console/_invoice.html"
    shown_total = cents_column("total_cents", "Total")
    shown_state = state_column("state", "State")

    def offers(self, action: str, row: Any) -> bool:
        """Of a paid one a part is credited; an unpaid one is paid, voided or given up."""
        if row is None:
            return False
        return bool(row.state == Invoice.State.PAID) if action == "credit" else row.state in invoice_settling.UNPAID

    @action(description="Mark as paid…", url_path="pay", icon="account_balance")
    def pay_by_hand(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the transfer's reference."""
        return self.with_reason(
            request,
            object_id,
            title="Mark {} as paid by transfer",
            effect="Give the reference of the transfer as the reason: it goes into the books with the payment.",
            done="{} is paid.",
            verb=lambda row, reference: invoice_settling.pay_by_hand(operator_of(request), row, reference=reference),
        )

    @action(description="Void…", url_path="void", icon="cancel")
    def void(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then take it back."""
        return self.with_reason(
            request,
            object_id,
            title="Void {}",
            effect="Nothing is due on it any more. What it billed is unbilled again and comes with the next invoice.",
            done="{} is void.",
            verb=lambda row, reason: invoice_settling.void(operator_of(request), row, reason=reason),
        )

    @action(description="Write off…", url_path="write-off", icon="money_off")
    def write_off(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then give it up."""
        return self.with_reason(
            request,
            object_id,
            title="Write {} off",
            effect="It is not collected any more and becomes bad debt. The account stays as restricted as it is.",
            done="{} is written off.",
            verb=lambda row, reason: invoice_settling.write_off(operator_of(request), row, reason=reason),
        )

    @action(description="Credit a part…", url_path="credit", icon="undo")
    def credit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask how much and why."""
        return self.with_form(
            request,
            object_id,
            form_class=AmountForm,
            title="Credit a part of {}",
            effect="A credit note gives the amount back as credit. The reason is written on it.",
            done="A credit note for {} is made.",
            verb=lambda row, data: invoice_settling.credit_note(
                operator_of(request), row, amount_cents=cents_of(data["amount"]), reason=data["reason"]
            ),
        )

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
    actions_detail: ClassVar = ["pay_out"]

    def offers(self, action: str, row: Any) -> bool:
        """While something is payable."""
        return bool(row and publisher_shares.payable(row.owner))

    @action(description="Paid out…", url_path="pay-out", icon="payments")
    def pay_out(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the transfer's reference, then post that all that is payable was paid."""
        return self.with_reason(
            request,
            object_id,
            title="Paid out to {}",
            effect="Give the transfer's reference as the reason. All that is payable now counts as paid.",
            done="The payout to {} is posted.",
            verb=lambda agreement, text: publisher_shares.pay_out(
                operator_of(request),
                agreement.owner,
                amount_nanos=publisher_shares.payable(agreement.owner),
                reference=text,
            ),
        )


@admin.register(PublisherPayout)
class PublisherPayoutAdmin(ReadOnlyAdmin):
    """What was paid to publishers."""

    list_display: ClassVar = ["created_at", "owner", "shown_amount", "reference", "created_by"]
    list_select_related: ClassVar = ["owner", "created_by"]
    search_fields: ClassVar = ["owner__username", "reference"]
    ordering: ClassVar = ["-created_at"]
    shown_amount = money_column("amount_nanos", "Amount")
