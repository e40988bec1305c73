"""`GET /v1/billing/balance`: what an account has and may spend now. An extension.  Source: billing.md 15.1."""

import datetime
from typing import Any

from django.db.models import Sum
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import caller_of
from billing import accounts
from billing.cents import nanos_per_minor
from billing.models import BillingAccount, TopUp
from billing.money import as_decimal_string
from billing.overview import Overview, overview


class Balance(APIView):
    """The account's money."""

    def get(self, request: Request) -> Response:
        """Read the balance."""
        payer = accounts.billing_account(caller_of(request).account_id)
        return Response(balance_document(payer, overview(payer, now=datetime.datetime.now(datetime.UTC))))


def balance_document(payer: BillingAccount, seen: Overview) -> dict[str, Any]:
    """`available` is null for an account that is not charged; amounts are decimal strings."""
    balance = seen.balance_nanos if seen.is_charged else payer.spendable_nanos
    paid = balance - seen.promo_nanos
    return {
        "mode": seen.mode,
        "status": seen.status,
        "currency": payer.currency,
        "available": as_decimal_string(seen.available_nanos) if seen.is_charged else None,
        "balance": as_decimal_string(balance),
        "free": as_decimal_string(seen.promo_nanos),
        "paid": as_decimal_string(max(0, paid)),
        "overrun": as_decimal_string(max(0, -paid)),
        "held": as_decimal_string(seen.held_nanos),
        "owed": as_decimal_string(seen.owed_nanos),
        "credit_line": as_decimal_string(seen.credit_line_nanos),
        "pending_top_ups": as_decimal_string(_pending(payer)),
        "month_to_date": as_decimal_string(seen.month_nanos),
        "per_day": as_decimal_string(seen.burn_nanos),
        "days_left": seen.days_left,
    }


def _pending(payer: BillingAccount) -> int:
    """Nanos of credit that is being bought."""
    pending = TopUp.objects.filter(account_id=payer.pk, state__in=TopUp.PENDING)
    return int(pending.aggregate(cents=Sum("amount_cents", default=0))["cents"]) * nanos_per_minor(payer.currency)
