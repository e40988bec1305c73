"""The answers 402: what an account may not spend, which limit says so, and what lifts it.  Source: billing.md 8.4."""

import datetime
from typing import Any

from django.conf import settings

from billing.models import BillingAccount, LimitPeriod, SpendCounter
from billing.money import as_decimal_string, in_words
from marketplace.lib.problems import Problem
from marketplace.lib.timestamps import timestamp

BILLING_URL = "/account/billing"


class MayNotSpend(Problem):
    """Work that is not accepted because of money. It made no prediction, no hold and no usage."""

    status = 402
    code = "insufficient_credit"
    action = "add_credit"
    url = BILLING_URL

    def __init__(self, detail: str, *, required_nanos: int, available_nanos: int, currency: str) -> None:
        super().__init__(detail)
        self.required_nanos = required_nanos
        self.available_nanos = available_nanos
        self.currency = currency

    def body(self) -> dict[str, Any]:
        """The members of billing.md 8.4 beside the usual ones."""
        return {
            **super().body(),
            "code": self.code,
            "required": as_decimal_string(self.required_nanos),
            "available": as_decimal_string(self.available_nanos),
            "currency": self.currency,
            "limit": None,
            "resets_at": None,
            "resolution": {"action": self.action, "url": self.url},
        }


class InsufficientCredit(MayNotSpend):
    """The account's credit, or a postpaid account's line, is used up or held.  Source: replicate-api.md 1.8."""

    title = "Insufficient credit"

    def __init__(self, payer: BillingAccount, *, required_nanos: int, available_nanos: int) -> None:
        super().__init__(
            "You have insufficient credit to run this model. "
            f"Go to {settings.PUBLIC_URL}/account/billing#billing to purchase credit. "
            "Once you purchase credit, please wait a few minutes before trying again.",
            required_nanos=required_nanos,
            available_nanos=max(0, available_nanos),
            currency=payer.currency,
        )
        if payer.mode == BillingAccount.Mode.TRIAL:
            self.code = "trial_exhausted"
        elif payer.status == BillingAccount.Status.RESTRICTED:
            self.code, self.action = "payment_failed", "update_payment_method"


class AccountSuspended(MayNotSpend):
    """Its billing is suspended or closed: nothing runs, what is there can be read.  Source: billing.md 8.5."""

    title = "Account suspended"
    code = "account_suspended"
    action = "contact_support"

    def __init__(self, payer: BillingAccount, *, required_nanos: int) -> None:
        super().__init__(
            "This account may not run anything until its billing is settled. What it has stays readable.",
            required_nanos=required_nanos,
            available_nanos=0,
            currency=payer.currency,
        )


class SpendLimitReached(MayNotSpend):
    """A limit that the account put on itself, or that it came with; credit would not help.  Source: billing.md 8.3."""

    title = "Spend limit reached"
    code = "spend_limit_reached"
    action = "raise_limit"
    url = f"{BILLING_URL}/limits"

    def __init__(
        self, counter: SpendCounter, *, used_nanos: int, required_nanos: int, resets_at: datetime.datetime
    ) -> None:
        """used_nanos: spent and held. resets_at: when the limit's next period starts."""
        limit = counter.limit
        whose = f"{limit.scope} {limit.scope_key}".strip()
        super().__init__(
            f"The limit of {in_words(limit.limit_nanos)} a {limit.period} of this {whose} leaves "
            f"{in_words(max(0, limit.limit_nanos - used_nanos))}, and this run needs about {in_words(required_nanos)}. "
            "Buying credit does not change that; raise the limit, or wait until it starts anew.",
            required_nanos=required_nanos,
            available_nanos=max(0, limit.limit_nanos - used_nanos),
            currency="usd",
        )
        if limit.period == LimitPeriod.HOUR:
            self.code = "velocity_limit_reached"
        self._limit = {
            "scope": str(limit.scope),
            "key": limit.scope_key,
            "period": str(limit.period),
            "value": as_decimal_string(limit.limit_nanos),
            "used": as_decimal_string(used_nanos),
        }
        self._resets_at = resets_at

    def body(self) -> dict[str, Any]:
        """With the limit that refused, and when it starts anew."""
        return {**super().body(), "limit": self._limit, "resets_at": timestamp(self._resets_at)}
