"""Credit whose time is over is posted away, once, after what was used before."""

import datetime

import pytest
from django.utils import timezone

from billing import credit, ledger, posting
from billing.expiry import expire_due
from billing.models import BillingAccount, CreditBucket, LedgerTxn
from tests.billing.factories import buy, fund, use

SECOND = 25_000
PAST = timezone.now() - datetime.timedelta(hours=1)


def expire_now():
    return expire_due(timezone.now())


@pytest.mark.parametrize(
    ("is_bought", "kind", "lies_on", "goes_to"),
    [(False, "grant_expired", "promo", "promo_cost"), (True, "credit_expired", "wallet", "breakage")],
)
def test_the_rest_is_posted_away_once(alice, is_bought, kind, lies_on, goes_to):
    fund(alice, 0)
    bucket = buy(alice, 3 * SECOND) if is_bought else credit.grant(alice, amount_nanos=3 * SECOND)
    use(alice)
    CreditBucket.objects.update(expires_at=PAST)
    assert (expire_now(), expire_now()) == (1, 0)
    bucket.refresh_from_db()
    assert (bucket.remaining_nanos, bucket.expired_at is not None) == (0, True)
    assert ledger.balance(f"{lies_on}:{alice.pk}") == BillingAccount.objects.get().spendable_nanos == 0
    assert ledger.balance(goes_to) == (-2 * SECOND if is_bought else SECOND)
    assert LedgerTxn.objects.get(kind=kind).key == f"{'bucket' if is_bought else 'grant'}:{bucket.pk}:expired"


def test_f41_usage_before_the_expiry_is_taken_first_and_no_bucket_goes_below_zero(alice):
    fund(alice, 2 * SECOND)
    use(alice, 3_000_000)
    CreditBucket.objects.update(expires_at=PAST)
    assert expire_now() == 1
    assert not LedgerTxn.objects.filter(kind="grant_expired").exists()
    assert CreditBucket.objects.get().remaining_nanos == 0
    use(alice)
    posting.post_usage()
    assert BillingAccount.objects.get().spendable_nanos == -2 * SECOND


def test_credit_that_lasts_and_that_of_a_disputed_payment_stay(alice):
    fund(alice, 0)
    buy(alice, SECOND, key="frozen")
    CreditBucket.objects.update(expires_at=PAST, is_frozen=True)
    credit.grant(alice, amount_nanos=SECOND, expires_at=timezone.now() + datetime.timedelta(days=1))
    credit.grant(alice, amount_nanos=SECOND)
    assert expire_now() == 0
    assert BillingAccount.objects.get().spendable_nanos == 3 * SECOND


@pytest.mark.parametrize(("bought", "expired", "left"), [(3, 1, 0), (2, 0, 2)])
def test_of_credit_that_expires_an_overrun_is_covered_first(alice, bought, expired, left):
    """An overrun beside credit: the credit was frozen while it was made."""
    fund(alice, 0)
    buy(alice, bought * SECOND)
    CreditBucket.objects.update(is_frozen=True)
    use(alice, 2_000_000)
    posting.post_usage()
    CreditBucket.objects.update(is_frozen=False, expires_at=PAST)
    assert expire_now() == bool(expired)
    assert -ledger.balance("breakage") == expired * SECOND
    assert CreditBucket.objects.get().remaining_nanos == left * SECOND
    assert BillingAccount.objects.get().spendable_nanos == 0
