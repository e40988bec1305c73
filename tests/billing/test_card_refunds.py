"""The unused rest of a payment goes back to its card, once, and comes back if it does not arrive."""

import datetime

import pytest
from django.core import mail
from django.utils import timezone

from billing import card_refunds, holds, ledger
from billing.holds import HoldRequest
from billing.models import BillingAccount, BucketConsumption, CardRefund, Hold, TopUp
from billing.payment_problems import PaymentsAreOff
from marketplace.lib.problems import Conflict, ValidationFailed
from tests.billing.stripe_site import (
    DOLLAR,
    StripeSite,
    assert_books_agree_with_stripe,
    credit_of,
    payer_of,
    spend,
)

pytestmark = pytest.mark.stripe
REFUNDS = "/v1/refunds"


@pytest.fixture
def top_up(site: StripeSite, buyer) -> TopUp:
    return site.buy(buyer)


def refund(top_up: TopUp, **how) -> CardRefund:
    return card_refunds.refund_top_up(top_up.pk, reason="Asked for", **how)


def refunded_at_stripe(site: StripeSite) -> int:
    return sum(one["amount"] for one in site.world.engine.get("/v1/refunds", limit=100)["data"])


def test_the_unused_rest_goes_back(site, buyer, top_up):
    spend(buyer, 12 * DOLLAR + 5)
    made = refund(top_up)
    assert (made.state, made.amount_cents) == (CardRefund.State.SUCCEEDED, 3799)
    assert site.sent(REFUNDS) == [f"refund:{made.pk}"]
    top_up.refresh_from_db()
    assert top_up.refunded_cents == 3799 and credit_of(buyer) == 0
    assert payer_of(buyer).status == "active" and payer_of(buyer).held_nanos == 0
    site.drain()
    assert CardRefund.objects.count() == 1 and refunded_at_stripe(site) == 3799
    assert mail.outbox[-1].subject == "[Modelyard] A payment was refunded"
    assert_books_agree_with_stripe()


def test_a_part_may_go_back_and_never_more_than_is_left(site, buyer, top_up):
    refund(top_up, amount_cents=2000)
    with pytest.raises(ValidationFailed, match=r"at most \$30\.00"):
        refund(top_up, amount_cents=3001)
    refund(top_up, amount_cents=3000)
    with pytest.raises(Conflict):
        refund(top_up)
    assert refunded_at_stripe(site) == 5000 and credit_of(buyer) == 0


def test_what_running_work_holds_does_not_go_back(site, buyer, top_up):
    assert holds.place_many([HoldRequest("prediction/1", buyer.pk, 20 * DOLLAR)]) == {}
    assert refund(top_up).amount_cents == 3000


def test_the_money_is_held_until_stripe_has_answered(site, buyer, top_up):
    site.world.fail("POST", REFUNDS, "drop", "before", times=3)
    made = refund(top_up)
    assert made.state == CardRefund.State.SENT
    assert payer_of(buyer).available_nanos == 0 and payer_of(buyer).held_nanos == 50 * DOLLAR
    assert refund_refused(top_up)
    assert card_refunds.resolve_due(now=timezone.now() + datetime.timedelta(minutes=3)) == 1
    made.refresh_from_db()
    assert made.state == CardRefund.State.SUCCEEDED and refunded_at_stripe(site) == 5000
    assert payer_of(buyer).held_nanos == 0


def refund_refused(top_up: TopUp) -> bool:
    with pytest.raises(Conflict):
        refund(top_up)
    return True


def test_f24_an_error_after_the_refund_was_made_is_one_refund(site, buyer, top_up):
    site.world.fail("POST", REFUNDS, 500, "after", times=1)
    assert refund(top_up).state == CardRefund.State.SUCCEEDED
    assert len(site.sent(REFUNDS)) == 2 and refunded_at_stripe(site) == 5000


def test_f24_an_error_that_stripe_keeps_is_settled_by_its_event(site, buyer, top_up):
    site.world.fail("POST", REFUNDS, 500, "after", kept=True)
    made = refund(top_up)
    assert made.state == CardRefund.State.SENT
    site.drain()
    made.refresh_from_db()
    assert made.state == CardRefund.State.SUCCEEDED and CardRefund.objects.count() == 1
    assert credit_of(buyer) == 0 and refunded_at_stripe(site) == 5000


@pytest.mark.parametrize("was_made", [True, False])
def test_after_20_hours_a_refund_is_looked_for(site, buyer, top_up, was_made):
    site.world.fail("POST", REFUNDS, "drop", "after" if was_made else "before", times=3)
    made = refund(top_up)
    CardRefund.objects.update(created_at=timezone.now() - datetime.timedelta(hours=21))
    sent = len(site.sent(REFUNDS))
    card_refunds.resolve_due(now=timezone.now())
    made.refresh_from_db()
    assert len(site.sent(REFUNDS)) == sent
    assert made.state == (CardRefund.State.SUCCEEDED if was_made else CardRefund.State.FAILED)
    assert credit_of(buyer) == (0 if was_made else 5000) and payer_of(buyer).held_nanos == 0


def test_a_refund_that_fails_later_is_credit_again_in_its_bucket(site, buyer, top_up):
    made = refund(top_up, amount_cents=2000)
    site.world.fail_refund(made.stripe_refund_id)
    site.drain()
    made.refresh_from_db()
    top_up.refresh_from_db()
    assert made.state == CardRefund.State.FAILED and top_up.refunded_cents == 0
    assert credit_of(buyer) == 5000 and top_up.bucket.remaining_nanos == 50 * DOLLAR
    assert sorted(BucketConsumption.objects.values_list("amount_nanos", flat=True)) == [-20 * DOLLAR, 20 * DOLLAR]
    assert_books_agree_with_stripe()


def test_a_refund_at_stripe_itself_takes_the_credit_and_what_was_used_is_owed(site, buyer, top_up):
    spend(buyer, 20 * DOLLAR)
    site.world.engine.post(REFUNDS, payment_intent=top_up.payment_intent_id)
    site.drain()
    made = CardRefund.objects.get()
    assert (made.state, made.amount_cents) == (CardRefund.State.SUCCEEDED, 5000)
    assert credit_of(buyer) == -2000 and payer_of(buyer).status == BillingAccount.Status.RESTRICTED
    site.buy(buyer, 3000)
    assert credit_of(buyer) == 1000 and payer_of(buyer).status == BillingAccount.Status.ACTIVE
    assert_books_agree_with_stripe()


@pytest.mark.parametrize(("used", "is_refunded"), [(9, True), (10, False)])
def test_an_early_warning_refunds_what_was_hardly_used(site, buyer, top_up, used, is_refunded):
    spend(buyer, used * DOLLAR)
    site.world.warn_of_fraud(top_up.payment_intent_id)
    site.drain()
    assert [one.reason for one in CardRefund.objects.all()] == ([card_refunds.FRAUD_REASON] if is_refunded else [])
    assert refunded_at_stripe(site) == ((50 - used) * 100 if is_refunded else 0)


def test_inv_20_refunds_of_a_payment_are_at_most_the_payment(site, buyer, top_up):
    site.buy(buyer)  # credit of another payment does not go back by this one
    refund(top_up)
    with pytest.raises(Conflict):
        refund(top_up)
    assert -ledger.balance(f"wallet:{buyer.pk}") == 50 * DOLLAR


def test_a_refund_that_stripe_refuses_is_credit_again(site, buyer, top_up):
    site.world.engine.post(REFUNDS, payment_intent=top_up.payment_intent_id)
    made = refund(top_up)
    assert made.state == CardRefund.State.FAILED and "already been refunded" in made.error
    assert not Hold.objects.filter(state=Hold.State.OPEN).exists()


def test_without_a_key_nothing_is_refunded(site, top_up, settings):
    settings.STRIPE_SECRET_KEY = ""
    with pytest.raises(PaymentsAreOff):
        refund(top_up)
    assert card_refunds.resolve_due(now=timezone.now()) == 0
