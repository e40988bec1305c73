"""Usage as metering writes it."""

import datetime
from typing import Any

from accounts.models import Account
from billing import credit, metering
from billing.metering import PredictionUsage
from billing.models import BillingAccount
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
    if nanos:
        credit.grant(account, amount_nanos=nanos, reason="a trial")
