"""Usage as metering writes it."""

import datetime
from typing import Any

from django.db import transaction

from accounts.models import Account
from billing import accounts, credit, ledger, metering, spending
from billing.ledger import Entry
from billing.metering import PredictionUsage
from billing.models import BillingAccount, CreditBucket
from billing.prices import price_at
from marketplace.lib.ids import new_id

NOON = datetime.datetime(2026, 11, 10, 12, tzinfo=datetime.UTC)


def use(account: Account, predict_us: int = 1_000_000, **columns: Any) -> str:
    """Record one prediction's usage; its id."""
    occurred_at = columns.pop("occurred_at", NOON)
    hardware = columns.pop("hardware", "cpu-small")
    given: dict[str, Any] = {
        "prediction_id": new_id(),
        "model_name": "alice/echo",
        "version_id": "v",
        "token_id": None,
        "fault_class": "none",
    } | columns
    usage = PredictionUsage(
        account_id=account.pk,
        predict_us=predict_us,
        price=price_at(hardware, occurred_at),
        occurred_at=occurred_at,
        hardware=hardware,
        **given,
    )
    metering.record_many([usage])
    return usage.prediction_id


def fund(account: Account, nanos: int) -> None:
    """Make an account prepaid, with so much free credit more; 0 for none."""
    BillingAccount.objects.update_or_create(account=account, defaults={"mode": BillingAccount.Mode.PREPAID})
    spending.forget(account.pk)
    if nanos:
        credit.grant(account, amount_nanos=nanos, reason="a trial")


def buy(account: Account, nanos: int, key: str = "") -> CreditBucket:
    """A payment of so much came: credit on the wallet."""
    key = key or new_id()
    with transaction.atomic():
        accounts.lock(account.pk)
        entries = [Entry("psp_clearing", nanos), Entry(f"wallet:{account.pk}", -nanos)]
        txn, _ = ledger.post(f"stripe:pi:{key}:paid", "top_up", entries)
        return credit.fill_wallet(txn, account.pk, amount_nanos=nanos, source=key)
