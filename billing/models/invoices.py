"""Invoices and statements with their lines, volume discounts, publishers' shares.  Source: billing.md 10, 12, 13."""

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now

from accounts.models import Account, User
from billing.models.prices import Meter, Price
from marketplace.lib.ids import new_id


class NumberSequence(models.Model):
    """The last number given out of a gapless series, locked by who takes the next."""

    name = models.CharField(max_length=32, primary_key=True)  # `invoice:2026`, `receipt:2026`
    last = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} {self.last}"


class Invoice(models.Model):
    """Usage postings `first_seq` to `last_seq` of an account, put together. Once issued only its state moves.

    A statement is a prepaid account's: it shows what was taken from credit; what is due is at most its overrun.
    """

    class Kind(models.TextChoices):
        MONTHLY = "monthly"
        INTERIM = "interim"
        STATEMENT = "statement"

    class State(models.TextChoices):
        OPEN = "open"
        PAID = "paid"
        PAST_DUE = "past_due"
        UNCOLLECTIBLE = "uncollectible"
        VOID = "void"

    id = models.CharField(primary_key=True, max_length=26, default=new_id)
    account = models.ForeignKey(Account, models.PROTECT, related_name="invoices")
    kind = models.CharField(max_length=12, choices=Kind)
    number = models.CharField(max_length=32, unique=True)
    period = models.CharField(max_length=7)  # YYYY-MM that it closes, or lies in
    currency = models.CharField(max_length=3, default="usd")
    first_seq = models.BigIntegerField()
    last_seq = models.BigIntegerField()
    unbilled_seq = models.BigIntegerField(default=0)  # it covers the entries of `unbilled:…` up to this position
    wallet_seq = models.BigIntegerField(default=0)  # … and of `wallet:…`
    carried_in_nanos = models.BigIntegerField(default=0)  # from the invoice before
    carried_out_nanos = models.BigIntegerField(default=0)  # to the next one
    total_cents = models.BigIntegerField()  # due, with tax
    tax_cents = models.BigIntegerField(default=0)
    state = models.CharField(max_length=16, choices=State, default=State.OPEN)
    seller: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    buyer: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    stripe_invoice_id = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001 - many have none
    hosted_url = models.TextField(blank=True)  # Stripe's page on which it can be paid
    collection_tries = models.PositiveIntegerField(default=0)
    next_collection_at = models.DateTimeField(null=True)
    issued_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(null=True)
    paid_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "first_seq"],
                name="invoice_covers_once",
                condition=models.Q(last_seq__gte=models.F("first_seq")),  # one without postings bills what was voided
            ),
            models.UniqueConstraint(
                fields=["account", "period"],
                name="invoice_closes_period_once",
                condition=models.Q(kind__in=["monthly", "statement"]),
            ),
            models.CheckConstraint(condition=models.Q(total_cents__gte=0, tax_cents__gte=0), name="invoice_is_sane"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account", "-issued_at"], name="invoice_by_account"),
            models.Index(
                fields=["next_collection_at"],
                name="invoice_to_collect",
                condition=models.Q(next_collection_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.number


class InvoiceLine(models.Model):
    """One line: usage of one model at one price, a discount, an overrun.

    The usage records of a usage line are those of the invoice's postings with its model, hardware, meter and price.
    """

    class Kind(models.TextChoices):
        USAGE = "usage"
        DISCOUNT = "discount"
        CREDIT = "credit"  # taken from prepaid or free credit
        CARRIED = "carried"
        OVERRUN = "overrun"

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="lines")
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.USAGE)
    description = models.TextField()
    model_name = models.CharField(max_length=170, blank=True)
    hardware = models.CharField(max_length=64, blank=True)
    meter = models.CharField(max_length=24, choices=Meter, blank=True)
    price = models.ForeignKey(Price, models.PROTECT, null=True, related_name="+")
    quantity = models.BigIntegerField(null=True)
    runs = models.BigIntegerField(null=True)
    amount_nanos = models.BigIntegerField()
    amount_cents = models.BigIntegerField()  # by largest remainder: all lines add up to the total

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_position"),
        ]

    def __str__(self) -> str:
        return self.description


class PublisherAgreement(models.Model):
    """A publisher's share of what others pay for their public models."""

    owner = models.ForeignKey(Account, models.PROTECT, related_name="publisher_agreements")
    model_name = models.CharField(max_length=170, blank=True)  # "": all of the owner's
    percent = models.PositiveSmallIntegerField()
    counts_promo = models.BooleanField(default=False)  # does usage that free credit paid count?
    hold_days = models.PositiveSmallIntegerField(default=30)
    min_payout_nanos = models.BigIntegerField(default=25_000_000_000)
    effective_from = models.DateTimeField()
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, db_constraint=False, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(percent__lte=100), name="publisher_percent_is_sane"),
        ]

    def __str__(self) -> str:
        return f"{self.owner} {self.percent} %"


class PublisherPayout(models.Model):
    """Money paid to a publisher, by hand, with the reference of the transfer."""

    id = models.CharField(primary_key=True, max_length=26, default=new_id)
    owner = models.ForeignKey(Account, models.PROTECT, related_name="publisher_payouts")
    amount_nanos = models.BigIntegerField()
    reference = models.CharField(max_length=200)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, db_constraint=False, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.id
