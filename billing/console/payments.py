"""Payments in the operators' console: top-ups by state, what went back, disputes, what Stripe was asked and told."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action

from accounts import audit
from accounts.access import operator_of
from accounts.models import User
from billing import card_refunds, stripe_events
from billing.console.amounts import AmountForm, cents_of
from billing.console.shown import cents_column, state_column
from billing.models import CardRefund, Dispute, PaymentMethod, StripeCall, StripeEvent, TopUp
from marketplace.lib.console import ReadOnlyAdmin
from marketplace.lib.problems import Conflict


@admin.register(TopUp)
class TopUpAdmin(ReadOnlyAdmin):
    """Purchases of credit. `unknown` ones are asked after until Stripe says how they ended."""

    list_display: ClassVar = [
        "created_at", "account", "source", "shown_state", "shown_amount", "card", "decline_code", "receipt_number",
    ]  # fmt: skip
    list_filter: ClassVar = ["state", "source", "decline_code"]
    list_select_related: ClassVar = ["account"]
    search_fields: ClassVar = [
        "=id", "account__username", "=payment_intent_id", "=checkout_session_id", "=receipt_number",
    ]  # fmt: skip
    ordering: ClassVar = ["-created_at"]
    actions_detail: ClassVar = ["refund"]
    shown_amount = cents_column("amount_cents", "Credit")
    shown_state = state_column("state", "State")

    def offers(self, action: str, row: Any) -> bool:
        """While anything of it may go back."""
        return bool(row and card_refunds.refundable_cents(row))

    @action(description="Refund to the card…", url_path="refund", icon="undo")
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask how much and why; Stripe is called."""
        return self.with_form(
            request,
            object_id,
            form_class=AmountForm,
            title="Refund {}",
            effect="Unused credit of this purchase goes back to the card that paid it. The customer reads the reason.",
            done="The refund of {} is under way.",
            verb=lambda row, data: card_refunds.refund_top_up(
                row.pk, reason=data["reason"], amount_cents=cents_of(data["amount"]), actor=operator_of(request)
            ),
            initial=lambda row: {"amount": f"{card_refunds.refundable_cents(row) / 100:.2f}"},
            is_atomic=False,
        )


@admin.register(CardRefund)
class CardRefundAdmin(ReadOnlyAdmin):
    """Unused credit on its way back to the card."""

    list_display: ClassVar = ["created_at", "shown_account", "shown_state", "shown_amount", "reason", "error"]
    list_filter: ClassVar = ["state"]
    list_select_related: ClassVar = ["top_up__account"]
    search_fields: ClassVar = ["=id", "=stripe_refund_id", "top_up__account__username"]
    ordering: ClassVar = ["-created_at"]
    shown_amount = cents_column("amount_cents", "Amount")
    shown_state = state_column("state", "State")

    @admin.display(description="Account")
    def shown_account(self, refund: CardRefund) -> str:
        """Whose card it is."""
        return refund.top_up.account.username


@admin.register(Dispute)
class DisputeAdmin(ReadOnlyAdmin):
    """Payments that cardholders dispute; evidence is handed in at Stripe."""

    list_display: ClassVar = ["opened_at", "account", "status", "shown_amount", "reason", "closed_at"]
    list_filter: ClassVar = ["status", ("closed_at", admin.EmptyFieldListFilter)]
    list_select_related: ClassVar = ["account"]
    search_fields: ClassVar = ["=stripe_id", "account__username"]
    ordering: ClassVar = ["-opened_at"]
    shown_amount = cents_column("amount_cents", "Amount")


@admin.register(PaymentMethod)
class PaymentMethodAdmin(ReadOnlyAdmin):
    """Saved cards: what is shown of them, and the fingerprint by which one card is known on many accounts."""

    list_display: ClassVar = ["created_at", "account", "brand", "last4", "exp_month", "exp_year", "is_default"]
    list_filter: ClassVar = ["brand", "is_default", ("detached_at", admin.EmptyFieldListFilter)]
    list_select_related: ClassVar = ["account"]
    search_fields: ClassVar = ["=stripe_id", "=fingerprint", "account__username"]
    ordering: ClassVar = ["-created_at"]


@admin.register(StripeEvent)
class StripeEventAdmin(ReadOnlyAdmin):
    """What Stripe told. A dead one has failed too often; replaying it does no harm, whatever was done."""

    list_display: ClassVar = ["received_at", "type", "shown_state", "tries", "next_try_at", "error"]
    list_filter: ClassVar = ["state", "type", "livemode"]
    search_fields: ClassVar = ["=id", "type"]
    ordering: ClassVar = ["-received_at"]
    hidden = ("payload",)
    actions_detail: ClassVar = ["replay"]
    shown_state = state_column("state", "State")

    def offers(self, action: str, row: Any) -> bool:
        """While nobody tries it any more."""
        return bool(row and row.state == StripeEvent.State.DEAD)

    @action(description="Replay…", url_path="replay", icon="replay")
    def replay(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then give it its tries anew."""
        return self.with_reason(
            request,
            object_id,
            title="Replay {}",
            effect="What the event is about is fetched from Stripe anew and handled. What was done already stays.",
            done="{} is tried again.",
            verb=lambda event, reason: _replay(operator_of(request), event, reason),
        )


def _replay(actor: User, event: StripeEvent, reason: str) -> None:
    if event.state != StripeEvent.State.DEAD:
        raise Conflict("It is not dead.")
    stripe_events.retry(event.pk)
    audit.record(actor, "replay_stripe_event", f"stripe-event/{event.pk}", reason=reason, type=event.type)


@admin.register(StripeCall)
class StripeCallAdmin(ReadOnlyAdmin):
    """What Stripe was asked to do."""

    list_display: ClassVar = ["created_at", "operation", "key", "shown_state", "object_id", "tries", "error"]
    list_filter: ClassVar = ["state", "operation"]
    search_fields: ClassVar = ["=key", "=object_id"]
    ordering: ClassVar = ["-created_at"]
    hidden = ("params",)
    shown_state = state_column("state", "State")
