"""What happens to an account's money is in its event log, with where to read more."""

import pytest

from billing import notices
from billing.notices import MoneyEvent
from tests.runner.event_horizon import await_other_databases


@pytest.mark.parametrize(
    ("subject", "path"),
    [
        ("balance", "billing/balance"),
        ("limit/7", "billing/limits/7"),
        ("top_up/a1", "billing/top-ups/a1"),
        ("invoice/a1", "billing/invoices/a1"),
        ("prediction/a1", "predictions/a1"),
    ],
)
def test_it_is_told_to_its_owner_alone(api, stranger_api, alice, subject, path):
    notices.tell(alice.pk, MoneyEvent.REFUND_ISSUED, subject, amount="0.25", currency="usd")
    await_other_databases()
    [event] = api.get("/v1/events").json()["events"]
    assert (event["type"], event["subject"]) == ("billing.refund.issued", subject)
    assert event["data"] == {"amount": "0.25", "currency": "usd"}
    assert event["object"].endswith(f"/v1/{path}")
    assert stranger_api.get("/v1/events").json()["events"] == []
