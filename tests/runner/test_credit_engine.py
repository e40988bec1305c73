"""A real run whose account runs out of credit."""

import datetime
from typing import Any

import pytest
from django.utils import timezone

from billing import posting
from billing.models import BillingAccount, UsageRecord
from marketplace.lib import dbthreads
from models_catalog.models import Version
from runner import costs, credit_watch
from runner.models import Prediction
from tests.billing.factories import fund
from tests.runner.engines import ask, row, watch

pytestmark = [pytest.mark.django_db(transaction=True, serialized_rollback=True), pytest.mark.slow]

CREDIT = 1_010 * 25_000  # nanos: a thousand seconds and ten on `cpu-small`


def _on_trial(version: Version) -> None:
    costs.forget()
    fund(version.model.account, CREDIT)
    BillingAccount.objects.update(mode="trial")


def _age(prediction: Prediction) -> list[str]:
    """As if it had run for a thousand seconds; then the watch's beat."""
    Prediction.objects.filter(pk=prediction.pk).update(started_at=timezone.now() - datetime.timedelta(seconds=1000))
    return credit_watch.beat()


async def test_f15_the_model_is_stopped_the_watcher_told_and_the_account_not_below_zero(
    make_version: Any, runners: Any
) -> None:
    version = await dbthreads.run(make_version, "slow")
    await dbthreads.run(_on_trial, version)
    runner = await runners()
    prediction = await dbthreads.run(ask, version, input={"seconds": 60})
    await watch(prediction, until=lambda event: event.kind == "logs")
    assert await dbthreads.run(_age, prediction) == [prediction.pk]
    assert (await watch(prediction))[-1].status == "canceled"
    ended = await row(prediction)
    assert ended.error == credit_watch.NO_CREDIT
    await dbthreads.run(posting.post_usage)
    payer = await dbthreads.run(BillingAccount.objects.get)
    record = await dbthreads.run(UsageRecord.objects.get)
    assert payer.spendable_nanos == CREDIT - record.amount_nanos >= 0
    assert not runner.engine.pumps
