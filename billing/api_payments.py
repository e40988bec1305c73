"""The API of buying credit: top-ups, saved cards, auto-reload. Extensions.  Source: billing.md 9, 15.1.

No answer is made inside a transaction: what is said to Stripe is kept before it is said.
"""

from typing import Any, cast

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import idempotency
from accounts.authentication import caller_of
from billing import accounts, auto_reload, cards, purchases
from billing.body_fields import BodyFields
from billing.cents import minor_as_decimal_string
from billing.models import BillingAccount, PaymentMethod, TopUp
from billing.money import as_decimal_string
from marketplace.lib.pagination import NewestFirst
from marketplace.lib.timestamps import timestamp


class TopUpList(APIView):
    """Purchases of credit."""

    def get(self, request: Request) -> Response:
        """List them, newest first."""
        pages = NewestFirst()
        rows = TopUp.objects.filter(account_id=caller_of(request).account_id)
        page = pages.paginate_queryset(rows, request, view=self) or []
        return pages.get_paginated_response([top_up_document(row) for row in page])

    def post(self, request: Request) -> Response:
        """Buy credit, on a hosted page or with the saved card."""
        caller = caller_of(request)
        key = idempotency.key_of(request._request, caller)
        fields = BodyFields(cast("dict[str, Any]", request.data))
        cents = fields.minor_units("amount", accounts.billing_account(caller.account_id).currency)
        with_saved_card = fields.boolean("saved_card", default=False)
        fields.ensure_valid()
        made = purchases.buy(caller, cents, with_saved_card=with_saved_card, key=key)
        document = top_up_document(made.top_up)
        headers = {"Location": document["urls"]["get"], **(idempotency.REPLAYED if made.is_repeated else {})}
        return Response(document, 201, headers=headers)


class TopUpDetail(APIView):
    """One purchase."""

    def get(self, request: Request, top_up_id: str) -> Response:
        """How it stands."""
        return Response(top_up_document(purchases.get_top_up(caller_of(request), top_up_id)))


class CardSetup(APIView):
    """A hosted page on which a card is saved."""

    def post(self, request: Request) -> Response:
        """Open one."""
        return Response({"url": cards.create_setup(caller_of(request).account_id)}, 201)


class PaymentMethodList(APIView):
    """Saved cards."""

    def get(self, request: Request) -> Response:
        """List them, the one that is charged first."""
        found = cards.list_cards(caller_of(request).account_id)
        return Response({"payment_methods": [card_document(card) for card in found]})


class PaymentMethodDetail(APIView):
    """One card."""

    def delete(self, request: Request, card_id: str) -> Response:
        """Remove it."""
        cards.detach(caller_of(request).account_id, card_id)
        return Response(status=204)


class PaymentMethodDefault(APIView):
    """Which card is charged."""

    def post(self, request: Request, card_id: str) -> Response:
        """Charge this one from now on."""
        return Response(card_document(cards.set_default(caller_of(request).account_id, card_id)))


class AutoReload(APIView):
    """Credit that is bought by itself."""

    def get(self, request: Request) -> Response:
        """Read how it is set."""
        return Response(reload_document(accounts.billing_account(caller_of(request).account_id)))

    def put(self, request: Request) -> Response:
        """Set it; what is left out stays, but for the cap. It may buy at once."""
        account_id = caller_of(request).account_id
        payer = accounts.billing_account(account_id)
        fields = BodyFields(cast("dict[str, Any]", request.data))
        enabled = fields.boolean("enabled")
        threshold = fields.amount("threshold", payer.reload_threshold_nanos)
        target = fields.amount("target", payer.reload_target_nanos)
        cap = fields.amount_or_none("monthly_cap")
        fields.ensure_valid()
        auto_reload.save_settings(
            account_id, enabled=enabled, threshold_nanos=threshold, target_nanos=target, monthly_cap_nanos=cap
        )
        return self.get(request)


def top_up_document(top_up: TopUp) -> dict[str, Any]:
    """A purchase as the API shows it. `checkout_url` while it can be paid there."""
    is_pending = top_up.state in TopUp.PENDING
    return {
        "id": top_up.pk,
        "status": top_up.state,
        "source": top_up.source,
        "amount": minor_as_decimal_string(top_up.amount_cents, top_up.currency),
        "tax": minor_as_decimal_string(top_up.tax_cents, top_up.currency),
        "refunded": minor_as_decimal_string(top_up.refunded_cents, top_up.currency),
        "currency": top_up.currency,
        "checkout_url": top_up.checkout_url or None if is_pending else None,
        "error": top_up.error or None,
        "decline_code": top_up.decline_code or None,
        "card": top_up.card or None,
        "receipt_number": top_up.receipt_number,
        "created_at": timestamp(top_up.created_at),
        "settled_at": timestamp(top_up.settled_at) if top_up.settled_at else None,
        "urls": {"get": f"{settings.PUBLIC_URL}/v1/billing/top-ups/{top_up.pk}"},
    }


def card_document(card: PaymentMethod) -> dict[str, Any]:
    """A card as the API shows it."""
    return {
        "id": card.pk,
        "brand": card.brand,
        "last4": card.last4,
        "exp_month": card.exp_month,
        "exp_year": card.exp_year,
        "is_default": card.is_default,
        "created_at": timestamp(card.created_at),
    }


def reload_document(payer: BillingAccount) -> dict[str, Any]:
    """Auto-reload as the API shows it. `note`: why it was turned off."""
    cap = payer.reload_monthly_cap_nanos
    return {
        "enabled": payer.reload_enabled,
        "threshold": as_decimal_string(payer.reload_threshold_nanos),
        "target": as_decimal_string(payer.reload_target_nanos),
        "monthly_cap": None if cap is None else as_decimal_string(cap),
        "currency": payer.currency,
        "note": payer.reload_note or None,
        "waits_until": timestamp(payer.reload_not_before) if payer.reload_not_before else None,
    }
