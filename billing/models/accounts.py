"""What an account has, holds and owes: funds, credit buckets, holds.  Source: billing.md 3, 8.1, 9.1."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from accounts.models import Account, User


class BillingAccount(models.Model):
    """How an account pays, and what it may spend. Only `billing.ledger` and `billing.holds` write its amounts.

    spendable_nanos mirrors wallet + promo, owed_nanos unbilled + receivable; both move in the posting's transaction.
    """

    class Mode(models.TextChoices):
        """internal: metered, never charged, not limited by credit. Postpaid: up to `credit_limit_nanos` owed."""

        INTERNAL = "internal"
        TRIAL = "trial"
        PREPAID = "prepaid"
        POSTPAID = "postpaid"

    class Status(models.TextChoices):
        """restricted: existing credit only, nothing owed, no new deployments. suspended: no work."""

        ACTIVE = "active"
        RESTRICTED = "restricted"
        SUSPENDED = "suspended"
        CLOSED = "closed"

    account = models.OneToOneField(Account, models.PROTECT, primary_key=True, related_name="billing")
    mode = models.CharField(max_length=12, choices=Mode, default=Mode.INTERNAL)
    status = models.CharField(max_length=12, choices=Status, default=Status.ACTIVE)
    currency = models.CharField(max_length=3, default="usd")
    spendable_nanos = models.BigIntegerField(default=0)
    owed_nanos = models.BigIntegerField(default=0)
    held_nanos = models.BigIntegerField(default=0)
    overdraft_nanos = models.BigIntegerField(default=0)  # how far work that runs may take the balance below zero
    credit_limit_nanos = models.BigIntegerField(default=0)  # of postpaid accounts
    posting_count = models.BigIntegerField(default=0)  # the last `UsagePosting.seq`
    receipt_count = models.BigIntegerField(default=0)  # the last `RunReceipt.seq`
    stops_at_limit = models.BooleanField(default=False)  # what runs is stopped too when a hard limit is reached

    stripe_customer_id = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001 - many have none
    billing_email = models.EmailField(blank=True)
    billing_name = models.CharField(max_length=200, blank=True)
    billing_address = models.TextField(blank=True)
    tax_id = models.CharField(max_length=64, blank=True)

    reload_enabled = models.BooleanField(default=False)
    reload_threshold_nanos = models.BigIntegerField(default=5_000_000_000)
    reload_target_nanos = models.BigIntegerField(default=15_000_000_000)
    reload_monthly_cap_nanos = models.BigIntegerField(null=True)  # None: no cap
    reload_failures = models.PositiveIntegerField(default=0)  # in a row
    reload_not_before = models.DateTimeField(null=True)  # waits after a decline
    reload_note = models.TextField(blank=True)  # why it was turned off, for its owner

    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(held_nanos__gte=0), name="billing_account_holds_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} ({self.mode})"

    @property
    def is_charged(self) -> bool:
        """Does its usage cost it anything?"""
        return self.mode != self.Mode.INTERNAL

    @property
    def available_nanos(self) -> int:
        """What new work may still cost: credit, and what is left of a postpaid account's line, less what is held."""
        has_line = self.mode == self.Mode.POSTPAID and self.status == self.Status.ACTIVE
        line = self.credit_limit_nanos - self.owed_nanos if has_line else 0
        return self.spendable_nanos + line - self.held_nanos


class CreditBucket(models.Model):
    """Credit of one origin. Promo and goodwill lie on `promo:{account}`, paid on `wallet:{account}`.

    Used in the order priority, expiry, creation.  Source: billing.md 9.1.
    """

    class Kind(models.TextChoices):
        PROMO = "promo"
        GOODWILL = "goodwill"
        PAID = "paid"

    PRIORITIES: ClassVar = {Kind.PROMO: 10, Kind.GOODWILL: 20, Kind.PAID: 50}

    account = models.ForeignKey(Account, models.PROTECT, related_name="credit_buckets")
    kind = models.CharField(max_length=12, choices=Kind)
    granted_nanos = models.BigIntegerField()
    remaining_nanos = models.BigIntegerField()
    priority = models.PositiveSmallIntegerField()
    expires_at = models.DateTimeField(null=True)
    source = models.CharField(max_length=120, unique=True)  # `trial:…`, `grant:…`, a PaymentIntent's id
    reason = models.TextField(blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, db_constraint=False, related_name="+")
    is_frozen = models.BooleanField(default=False)  # its payment is disputed
    expired_at = models.DateTimeField(null=True)  # its rest was posted away
    notices_sent = ArrayField(models.PositiveSmallIntegerField(), default=list)  # days before the expiry
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(granted_nanos__gt=0, remaining_nanos__gte=0)
                & models.Q(remaining_nanos__lte=models.F("granted_nanos")),
                name="credit_bucket_is_sane",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["account", "priority", "expires_at", "created_at"],
                name="credit_bucket_in_use",
                condition=models.Q(remaining_nanos__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return self.source


class BucketConsumption(models.Model):
    """What one ledger transaction took from a bucket (above 0) or gave back to it (below 0)."""

    txn = models.ForeignKey("billing.LedgerTxn", models.PROTECT, related_name="consumptions")
    bucket = models.ForeignKey(CreditBucket, models.PROTECT, related_name="consumptions")
    amount_nanos = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["txn", "bucket"], name="bucket_consumption_once"),
        ]

    def __str__(self) -> str:
        return f"{self.txn_id} {self.bucket_id}"


class Hold(models.Model):
    """Money reserved for accepted work, on the account and on every spend counter that applies.

    Resolved at most once: settled with what the work cost, or released.  Source: billing.md 8.1.
    """

    class State(models.TextChoices):
        OPEN = "open"
        SETTLED = "settled"
        RELEASED = "released"

    subject = models.CharField(max_length=64, primary_key=True)  # `prediction/<id>`, `instance/<id>`
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    token_id = models.BigIntegerField(null=True)
    user_id = models.BigIntegerField(null=True)
    deployment_name = models.CharField(max_length=170, blank=True)
    amount_nanos = models.BigIntegerField()
    counters = ArrayField(models.BigIntegerField(), default=list)  # ids of the spend counters that it is held on
    state = models.CharField(max_length=12, choices=State, default=State.OPEN)
    created_at = models.DateTimeField(db_default=Now())
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(amount_nanos__gte=0), name="hold_not_negative"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account", "created_at"], name="hold_open", condition=models.Q(state="open")),
        ]

    def __str__(self) -> str:
        return self.subject
