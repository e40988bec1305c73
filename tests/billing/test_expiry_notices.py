"""Notices 30 and 7 days before bought credit expires, each once."""

import datetime

from django.utils import timezone

from billing import credit, expiry_notices
from billing.models import CreditBucket
from tests.billing.factories import buy, fund

DOLLAR = 1_000_000_000
DAY = datetime.timedelta(days=1)


def test_bought_credit_is_announced_thirty_and_seven_days_before_once_each(alice, mailoutbox):
    expiry = timezone.now() + 365 * DAY
    buy(alice, 12 * DOLLAR)
    CreditBucket.objects.update(expires_at=expiry)
    sent = [
        (days, expiry_notices.send_due(expiry - days * DAY), expiry_notices.send_due(expiry - days * DAY))
        for days in (31, 30, 29, 8, 7, 1, 0)
    ]
    assert sent == [(31, 0, 0), (30, 1, 0), (29, 0, 0), (8, 0, 0), (7, 1, 0), (1, 0, 0), (0, 0, 0)]
    assert len(mailoutbox) == 2
    assert mailoutbox[0].to == [alice.user.email]
    assert f"$12.00 of the credit you bought expires on {expiry:%d %B %Y}." in mailoutbox[0].body


def test_free_credit_used_credit_and_credit_that_lasts_are_not_announced(alice, mailoutbox):
    fund(alice, DOLLAR)
    soon = timezone.now() + 5 * DAY
    credit.grant(alice, amount_nanos=DOLLAR, expires_at=soon)
    buy(alice, DOLLAR, key="lasts")
    buy(alice, DOLLAR, key="used")
    CreditBucket.objects.filter(source="used").update(expires_at=soon, remaining_nanos=0)
    assert expiry_notices.send_due(timezone.now()) == 0
    assert mailoutbox == []
