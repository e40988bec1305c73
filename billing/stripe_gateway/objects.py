"""What we know of Stripe's objects: the members that money follows from. Amounts are cents, times UTC.

`of` reads the JSON of Stripe's API version that the SDK pins; references may be ids or whole objects there.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

Json = Mapping[str, Any]


def _id(reference: Any) -> str:
    """The id of what may be an id, a whole object, or nothing."""
    if isinstance(reference, Mapping):
        return str(reference["id"])
    return str(reference or "")


def _whole(reference: Any) -> Json | None:
    return reference if isinstance(reference, Mapping) else None


def moment(seconds: int) -> datetime.datetime:
    """Stripe's times are seconds since 1970."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


@dataclass(frozen=True, slots=True)
class BalanceTransaction:
    """A movement of the balance at Stripe. net = amount − fee. source_id: of what moved it.

    payment_intent_id, customer_id: of a charge, where its transaction was listed.
    """

    id: str
    type: str
    amount_cents: int
    fee_cents: int
    net_cents: int
    currency: str
    source_id: str
    payment_intent_id: str
    customer_id: str
    created: datetime.datetime

    @classmethod
    def of(cls, shown: Json) -> Self:
        """From JSON, whose `source` may be expanded."""
        source = _whole(shown.get("source")) or {}
        return cls(
            id=shown["id"],
            type=shown["type"],
            amount_cents=shown["amount"],
            fee_cents=shown["fee"],
            net_cents=shown["net"],
            currency=shown["currency"],
            source_id=_id(shown.get("source")),
            payment_intent_id=_id(source.get("payment_intent")),
            customer_id=_id(source.get("customer")),
            created=moment(shown["created"]),
        )


@dataclass(frozen=True, slots=True)
class Card:
    """A saved card, as far as it is shown. customer_id: "" once it was detached."""

    id: str
    customer_id: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    fingerprint: str

    @classmethod
    def of(cls, shown: Json) -> "Card | None":
        """From JSON of a payment method; None for what is no card."""
        card = shown.get("card")
        if not card:
            return None
        return cls(
            id=shown["id"],
            customer_id=_id(shown.get("customer")),
            brand=card["brand"],
            last4=card["last4"],
            exp_month=card["exp_month"],
            exp_year=card["exp_year"],
            fingerprint=card.get("fingerprint") or "",
        )

    @property
    def words(self) -> str:
        """For people: `visa 4242`."""
        return f"{self.brand} {self.last4}"


@dataclass(frozen=True, slots=True)
class CheckoutSession:
    """A hosted page on which a card is saved (mode setup) or something paid (mode payment)."""

    id: str
    mode: str
    status: str  # open, complete, expired
    payment_status: str
    url: str
    customer_id: str
    payment_intent_id: str
    setup_intent_id: str
    reference: str  # our own id of what is paid

    @classmethod
    def of(cls, shown: Json) -> Self:
        """From JSON."""
        return cls(
            id=shown["id"],
            mode=shown["mode"],
            status=shown.get("status") or "",
            payment_status=shown.get("payment_status") or "",
            url=shown.get("url") or "",
            customer_id=_id(shown.get("customer")),
            payment_intent_id=_id(shown.get("payment_intent")),
            setup_intent_id=_id(shown.get("setup_intent")),
            reference=shown.get("client_reference_id") or "",
        )


@dataclass(frozen=True, slots=True)
class SetupIntent:
    """The saving of a card. account: what our metadata say."""

    id: str
    status: str
    customer_id: str
    account: str
    card: Card | None

    @classmethod
    def of(cls, shown: Json) -> Self:
        """From JSON, with its payment method expanded."""
        method = _whole(shown.get("payment_method"))
        return cls(
            id=shown["id"],
            status=shown["status"],
            customer_id=_id(shown.get("customer")),
            account=(shown.get("metadata") or {}).get("account_id", ""),
            card=Card.of(method) if method else None,
        )


@dataclass(frozen=True, slots=True)
class PaymentIntent:
    """A payment. top_up_id: what our metadata say, "" for one that is no purchase of credit.

    card and charge are there where they were asked for; the codes are those of the last refusal.
    """

    id: str
    status: str
    amount_cents: int
    received_cents: int
    currency: str
    customer_id: str
    top_up_id: str
    keeps_card: bool
    code: str
    decline_code: str
    advice_code: str
    message: str
    charge_id: str
    card: Card | None
    transaction: BalanceTransaction | None
    created: datetime.datetime

    @classmethod
    def of(cls, shown: Json) -> Self:
        """From JSON, whose `payment_method` and `latest_charge.balance_transaction` may be expanded."""
        error = shown.get("last_payment_error") or {}
        charge = _whole(shown.get("latest_charge"))
        transaction = _whole(charge.get("balance_transaction")) if charge else None
        method = _whole(shown.get("payment_method"))
        return cls(
            id=shown["id"],
            status=shown["status"],
            amount_cents=shown["amount"],
            received_cents=shown.get("amount_received") or 0,
            currency=shown["currency"],
            customer_id=_id(shown.get("customer")),
            top_up_id=(shown.get("metadata") or {}).get("topup_id", ""),
            keeps_card=bool(shown.get("setup_future_usage")),
            code=error.get("code") or "",
            decline_code=error.get("decline_code") or "",
            advice_code=error.get("advice_code") or "",
            message=error.get("message") or "",
            charge_id=_id(shown.get("latest_charge")),
            card=Card.of(method) if method else None,
            transaction=BalanceTransaction.of(transaction) if transaction else None,
            created=moment(shown["created"]),
        )


@dataclass(frozen=True, slots=True)
class Refund:
    """Money on its way back to a card. refund_id: our own id of it, "" for one made elsewhere."""

    id: str
    status: str  # pending, requires_action, succeeded, failed, canceled
    amount_cents: int
    currency: str
    payment_intent_id: str
    refund_id: str
    failure: str
    has_moved: bool  # has the balance at Stripe changed by it?

    @classmethod
    def of(cls, shown: Json) -> Self:
        """From JSON."""
        return cls(
            id=shown["id"],
            status=shown.get("status") or "pending",
            amount_cents=shown["amount"],
            currency=shown["currency"],
            payment_intent_id=_id(shown.get("payment_intent")),
            refund_id=(shown.get("metadata") or {}).get("refund_id", ""),
            failure=shown.get("failure_reason") or "",
            has_moved=bool(shown.get("balance_transaction")),
        )


@dataclass(frozen=True, slots=True)
class CardDispute:
    """A payment that its cardholder disputes, with what it has moved so far."""

    id: str
    status: str
    reason: str
    amount_cents: int
    currency: str
    payment_intent_id: str
    transactions: tuple[BalanceTransaction, ...]
    created: datetime.datetime

    @classmethod
    def of(cls, shown: Json) -> Self:
        """From JSON."""
        return cls(
            id=shown["id"],
            status=shown["status"],
            reason=shown.get("reason") or "",
            amount_cents=shown["amount"],
            currency=shown["currency"],
            payment_intent_id=_id(shown.get("payment_intent")),
            transactions=tuple(BalanceTransaction.of(one) for one in shown.get("balance_transactions") or ()),
            created=moment(shown["created"]),
        )


@dataclass(frozen=True, slots=True)
class FraudWarning:
    """A card network's suspicion. is_actionable: may a refund still help?"""

    id: str
    payment_intent_id: str
    is_actionable: bool

    @classmethod
    def of(cls, shown: Json) -> Self:
        """From JSON."""
        return cls(shown["id"], _id(shown.get("payment_intent")), bool(shown["actionable"]))


@dataclass(frozen=True, slots=True)
class Payout:
    """Money on its way from Stripe to our bank account."""

    id: str
    status: str  # pending, in_transit, paid, failed, canceled
    amount_cents: int
    currency: str

    @classmethod
    def of(cls, shown: Json) -> Self:
        """From JSON."""
        return cls(shown["id"], shown["status"], shown["amount"], shown["currency"])


@dataclass(frozen=True, slots=True)
class StripeInvoice:
    """An invoice of ours as Stripe collects it. invoice_id: our own id of it."""

    id: str
    status: str  # draft, open, paid, void, uncollectible
    total_cents: int
    paid_cents: int
    currency: str
    customer_id: str
    invoice_id: str
    hosted_url: str
    paid_out_of_band: bool

    @classmethod
    def of(cls, shown: Json) -> Self:
        """From JSON."""
        return cls(
            id=shown["id"],
            status=shown.get("status") or "draft",
            total_cents=shown["total"],
            paid_cents=shown["amount_paid"],
            currency=shown["currency"],
            customer_id=_id(shown.get("customer")),
            invoice_id=(shown.get("metadata") or {}).get("invoice_id", ""),
            hosted_url=shown.get("hosted_invoice_url") or "",
            # Newer versions have no member for it; what is paid elsewhere is never attempted.
            paid_out_of_band=shown.get("status") == "paid"
            and bool(shown.get("amount_paid_off_stripe") or not shown.get("attempted")),
        )


@dataclass(frozen=True, slots=True)
class Event:
    """Something that Stripe tells. object_id: what it is about, to be fetched anew."""

    id: str
    type: str
    created: datetime.datetime
    api_version: str
    livemode: bool
    object_id: str
    payload: dict[str, Any]

    @classmethod
    def of(cls, shown: Json) -> Self:
        """From JSON."""
        return cls(
            id=shown["id"],
            type=shown["type"],
            created=moment(shown["created"]),
            api_version=shown.get("api_version") or "",
            livemode=shown["livemode"],
            object_id=str(shown["data"]["object"].get("id") or ""),
            payload=dict(shown),
        )
