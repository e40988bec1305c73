"""The append-only double-entry ledger and its balances. Only `billing.ledger` writes here.  Source: billing.md 6."""

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now


class LedgerTxn(models.Model):
    """One posting; its entries sum to zero. The database refuses to change or delete it."""

    key = models.CharField(max_length=160, unique=True)  # derived from what is posted: nothing is posted twice
    kind = models.CharField(max_length=32)
    currency = models.CharField(max_length=3, default="usd")
    effective_at = models.DateTimeField()
    entries_hash = models.CharField(max_length=64)  # of what the key stands for
    meta: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    corrects = models.ForeignKey("self", models.PROTECT, null=True, related_name="corrections")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes: ClassVar = [models.Index(fields=["effective_at"], name="ledger_txn_by_time")]

    def __str__(self) -> str:
        return self.key


class LedgerEntry(models.Model):
    """A part of a posting on one ledger account: debit above zero, credit below.

    seq: the position in a customer's ledger account, gapless and in commit order; None on the platform's accounts.
    """

    txn = models.ForeignKey(LedgerTxn, models.PROTECT, related_name="entries")
    code = models.CharField(max_length=64)  # `revenue`, `wallet:12`
    amount_nanos = models.BigIntegerField()
    seq = models.BigIntegerField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=~models.Q(amount_nanos=0), name="ledger_entry_is_not_nothing"),
            models.UniqueConstraint(
                fields=["code", "seq"], name="ledger_entry_position", condition=models.Q(seq__isnull=False)
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["code", "id"], name="ledger_entry_by_account")]

    def __str__(self) -> str:
        return f"{self.code} {self.amount_nanos}"


class LedgerBalance(models.Model):
    """The sum of a ledger account's entries: a projection, which can be rebuilt.

    The platform's accounts have it in several rows, by customer, so that no row is everybody's; customers' in shard 0.
    """

    code = models.CharField(max_length=64)
    currency = models.CharField(max_length=3, default="usd")
    shard = models.PositiveSmallIntegerField(default=0)
    posted_nanos = models.BigIntegerField(default=0)
    entry_count = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["code", "currency", "shard"], name="ledger_balance_once"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.posted_nanos}"


class DaySeal(models.Model):
    """A closed day of the ledger: what was in it, as a hash that chains to the day before.  Source: billing.md 16.1."""

    day = models.DateField(primary_key=True)
    txn_count = models.BigIntegerField()
    entry_count = models.BigIntegerField()
    debit_nanos = models.DecimalField(max_digits=30, decimal_places=0)  # a sum may be larger than any one amount
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return str(self.day)
