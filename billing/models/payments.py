"""Money that moves through Stripe: cards, top-ups, refunds, disputes, and what was said to and by Stripe.

Source: billing.md 9, 11, 14.
"""

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now

from accounts.models import Account, User
from billing.models.accounts import CreditBucket
from marketplace.lib.ids import new_id


class PaymentMethod(models.Model):
    """A card that was saved on Stripe's hosted page; we know only what is shown."""

    stripe_id = models.CharField(max_length=64, primary_key=True)
    account = models.ForeignKey(Account, models.PROTECT, related_name="payment_methods")
    brand = models.CharField(max_length=32)
    last4 = models.CharField(max_length=4)
    exp_month = models.PositiveSmallIntegerField()
    exp_year = models.PositiveSmallIntegerField()
    fingerprint = models.CharField(max_length=64, blank=True)
    is_default = models.BooleanField(default=False)
    detached_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account"],
                name="payment_method_default_once",
                condition=models.Q(is_default=True, detached_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand} {self.last4}"


class TopUp(models.Model):
    """A purchase of credit. Credit appears only when its PaymentIntent was fetched and has succeeded."""

    class Source(models.TextChoices):
        CHECKOUT = "checkout"
        SAVED_CARD = "saved_card"
        AUTO_RELOAD = "auto_reload"

    class State(models.TextChoices):
        CREATED = "created"
        SENT = "sent"
        REQUIRES_ACTION = "requires_action"
        UNKNOWN = "unknown"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        EXPIRED = "expired"

    PENDING: ClassVar = ("created", "sent", "requires_action", "unknown")

    id = models.CharField(primary_key=True, max_length=26, default=new_id)
    account = models.ForeignKey(Account, models.PROTECT, related_name="top_ups")
    source = models.CharField(max_length=12, choices=Source)
    amount_cents = models.BigIntegerField()  # of credit
    tax_cents = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, default="usd")
    state = models.CharField(max_length=16, choices=State, default=State.CREATED)
    attempt = models.PositiveIntegerField(default=1)  # a part of the idempotency key
    payment_intent_id = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001 - many have none yet
    checkout_session_id = models.CharField(max_length=128, null=True, unique=True)  # noqa: DJ001 - as above
    checkout_url = models.TextField(blank=True)
    decline_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)  # for its owner
    sent_at = models.DateTimeField(null=True)  # the first time of this attempt
    tries = models.PositiveIntegerField(default=0)  # of resolving an unknown outcome
    next_try_at = models.DateTimeField(null=True)
    refunded_cents = models.BigIntegerField(default=0)
    bucket = models.OneToOneField(CreditBucket, models.PROTECT, null=True, related_name="top_up")
    receipt_number = models.CharField(max_length=32, null=True, unique=True)  # noqa: DJ001 - has one once paid
    seller: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)  # as the receipt says
    buyer: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    card = models.CharField(max_length=48, blank=True)  # brand and last four digits
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, db_constraint=False, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(amount_cents__gt=0, tax_cents__gte=0), name="top_up_is_sane"),
            models.CheckConstraint(
                condition=models.Q(refunded_cents__gte=0)
                & models.Q(refunded_cents__lte=models.F("amount_cents") + models.F("tax_cents")),
                name="top_up_refunds_at_most_itself",
            ),
            models.UniqueConstraint(
                fields=["account"],
                name="top_up_one_pending_off_session",
                condition=models.Q(
                    source__in=["saved_card", "auto_reload"],
                    state__in=["created", "sent", "requires_action", "unknown"],
                ),
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account", "-created_at"], name="top_up_by_account"),
            models.Index(
                fields=["next_try_at"], name="top_up_to_resolve", condition=models.Q(state__in=["sent", "unknown"])
            ),
        ]

    def __str__(self) -> str:
        return self.id


class CardRefund(models.Model):
    """The unused rest of a top-up on its way back to the card."""

    class State(models.TextChoices):
        CREATED = "created"
        SENT = "sent"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    id = models.CharField(primary_key=True, max_length=26, default=new_id)
    top_up = models.ForeignKey(TopUp, models.PROTECT, related_name="card_refunds")
    amount_cents = models.BigIntegerField()
    state = models.CharField(max_length=12, choices=State, default=State.CREATED)
    stripe_refund_id = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001 - many have none yet
    reason = models.TextField(blank=True)
    error = models.TextField(blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, db_constraint=False, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(amount_cents__gt=0), name="card_refund_is_something"),
        ]

    def __str__(self) -> str:
        return self.id


class Dispute(models.Model):
    """A payment that its cardholder disputes, as Stripe last said."""

    stripe_id = models.CharField(max_length=64, primary_key=True)
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    top_up = models.ForeignKey(TopUp, models.PROTECT, null=True, related_name="disputes")
    amount_cents = models.BigIntegerField()
    status = models.CharField(max_length=32)
    reason = models.CharField(max_length=64, blank=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.stripe_id


class StripeCall(models.Model):
    """One writing call to Stripe, kept before it goes out: the same key is repeated with the same parameters."""

    class State(models.TextChoices):
        SENT = "sent"
        DONE = "done"
        FAILED = "failed"

    key = models.CharField(max_length=160, primary_key=True)  # the Idempotency-Key
    operation = models.CharField(max_length=64)
    params: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=State, default=State.SENT)
    object_id = models.CharField(max_length=128, blank=True)  # of what Stripe made
    error = models.TextField(blank=True)
    tries = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    answered_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.key


class StripeEvent(models.Model):
    """An event that Stripe told, once; what it is about is fetched anew before anything follows from it."""

    class State(models.TextChoices):
        RECEIVED = "received"
        DONE = "done"
        IGNORED = "ignored"
        DEAD = "dead"

    id = models.CharField(primary_key=True, max_length=128)
    type = models.CharField(max_length=96)
    created = models.DateTimeField()
    api_version = models.CharField(max_length=32, blank=True)
    livemode = models.BooleanField()
    payload: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=State, default=State.RECEIVED)
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(db_default=Now())
    error = models.TextField(blank=True)
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["next_try_at"], name="stripe_event_to_do", condition=models.Q(state="received")),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class StripeCursor(models.Model):
    """How far something that Stripe lists has been read."""

    name = models.CharField(max_length=32, primary_key=True)  # `events`, `balance_transactions`
    position = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
