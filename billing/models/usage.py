"""Usage records, the batches they are posted in, their roll-up.  Source: billing.md 3, 7, 19."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from accounts.models import Account
from billing.models.ledger import LedgerTxn
from billing.models.prices import Meter, Price


class UsagePosting(models.Model):
    """A batch of one account's usage records, taken from its credit or put on its bill in one ledger transaction.

    seq: gapless per account and in commit order; invoices cover ranges of it, so each posting is on one of them.
    """

    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    seq = models.BigIntegerField()
    txn = models.ForeignKey(LedgerTxn, models.PROTECT, null=True, related_name="+")  # None: the batch cost nothing
    amount_nanos = models.BigIntegerField()  # of its records together
    promo_nanos = models.BigIntegerField(default=0)
    wallet_nanos = models.BigIntegerField(default=0)
    unbilled_nanos = models.BigIntegerField(default=0)
    internal_nanos = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "seq"], name="usage_posting_position"),
            models.CheckConstraint(
                condition=models.Q(
                    amount_nanos=models.F("promo_nanos")
                    + models.F("wallet_nanos")
                    + models.F("unbilled_nanos")
                    + models.F("internal_nanos")
                ),
                name="usage_posting_adds_up",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.seq}"


class UsageRecord(models.Model):
    """One rated line. The key comes from what was used, so nothing is written twice.  Source: billing.md 7.2.

    Append-only: the database lets only `posting` be set, once. A correction is a further record with `corrects`.
    amount_nanos: what is charged, `gross_nanos` or less where a quote capped it.
    """

    key = models.CharField(max_length=120, unique=True)
    account = models.ForeignKey(Account, models.PROTECT, db_index=False)
    subject = models.CharField(max_length=64)  # `prediction/<id>`, `instance/<id>`
    meter = models.CharField(max_length=24, choices=Meter)
    quantity = models.BigIntegerField()  # base units of the meter
    price = models.ForeignKey(Price, models.PROTECT)
    currency = models.CharField(max_length=3, default="usd")
    gross_nanos = models.BigIntegerField()
    amount_nanos = models.BigIntegerField()
    occurred_at = models.DateTimeField()
    period = models.CharField(max_length=7)  # YYYY-MM of occurred_at, UTC
    billing_class = models.CharField(max_length=12, default="shared")  # billing.md 4.1
    model_name = models.CharField(max_length=170)  # `owner/name` as it was
    version_id = models.CharField(max_length=64)
    hardware = models.CharField(max_length=64)
    deployment_name = models.CharField(max_length=170, blank=True)
    token_id = models.BigIntegerField(null=True)
    user_id = models.BigIntegerField(null=True)  # the member who ran it
    fault_class = models.CharField(max_length=16, default="none")
    posting = models.ForeignKey(UsagePosting, models.PROTECT, null=True, related_name="records")
    corrects = models.ForeignKey("self", models.PROTECT, null=True, related_name="corrections")
    reason = models.TextField(blank=True)  # of a correction, for its reader
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(quantity__gte=0) | models.Q(corrects__isnull=False),
                name="usage_quantity_not_negative",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account", "period", "model_name"], name="usage_by_account_period"),
            models.Index(fields=["account", "id"], name="usage_by_account"),
            models.Index(fields=["subject"], name="usage_by_subject"),
            models.Index(fields=["account", "id"], name="usage_unposted", condition=models.Q(posting__isnull=True)),
        ]

    def __str__(self) -> str:
        return self.key


class UsageRollup(models.Model):
    """Posted usage of one day, by all that reports group by. Merged in the posting's transaction; can be rebuilt."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()  # of occurred_at, UTC
    model_name = models.CharField(max_length=170)
    version_id = models.CharField(max_length=64)
    deployment_name = models.CharField(max_length=170, blank=True)
    hardware = models.CharField(max_length=64)
    meter = models.CharField(max_length=24, choices=Meter)
    token_id = models.BigIntegerField(null=True)
    user_id = models.BigIntegerField(null=True)
    quantity = models.BigIntegerField()
    runs = models.BigIntegerField()
    gross_nanos = models.BigIntegerField()
    amount_nanos = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=[
                    "account",
                    "day",
                    "model_name",
                    "version_id",
                    "deployment_name",
                    "hardware",
                    "meter",
                    "token_id",
                    "user_id",
                ],
                nulls_distinct=False,
                name="usage_rollup_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.day} {self.model_name}"


class FaultAppeal(models.Model):
    """An account says that a run's verdict is wrong; an operator decides.  One for each run."""

    class State(models.TextChoices):
        OPEN = "open"
        ACCEPTED = "accepted"
        REJECTED = "rejected"

    subject = models.CharField(max_length=64, primary_key=True)  # `prediction/<id>`
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    note = models.TextField(blank=True)
    state = models.CharField(max_length=12, choices=State, default=State.OPEN)
    answer = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())
    decided_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.subject


class RunReceipt(models.Model):
    """What one run cost and why, signed, and chained to the account's receipt before it. Append-only."""

    subject = models.CharField(max_length=64, primary_key=True)  # `prediction/<id>`
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    seq = models.BigIntegerField()
    document = models.TextField()  # canonical JSON, byte for byte what is signed
    digest = models.CharField(max_length=64)  # SHA-256 of the document, hex
    previous = models.CharField(max_length=64, blank=True)  # digest of the receipt before; "" of the first
    key_id = models.CharField(max_length=32)
    signature = models.CharField(max_length=128)  # Ed25519, base64
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "seq"], name="run_receipt_position"),
        ]

    def __str__(self) -> str:
        return self.subject
