"""One customer's way through all of it: free credit, a card, purchases, runs, auto-reload, a refund, a dispute."""

import pytest
from django.utils import timezone

from billing import auto_reload, card_refunds, cards, posting, reconciliation, top_ups, trials
from billing.models import BillingAccount, TopUp
from tests.billing.factories import use
from tests.billing.stripe_site import DOLLAR, StripeSite, assert_books_agree_with_stripe, credit_of, payer_of

pytestmark = pytest.mark.stripe
A_DOLLAR_US = 655_737_704  # microseconds, a little less than a dollar


def run(account, dollars: int) -> None:
    """A run on an H100 that costs so much, less a fraction of a cent, and is posted."""
    use(account, dollars * A_DOLLAR_US, hardware="gpu-h100", occurred_at=timezone.now())
    posting.post_usage(account_id=account.pk)


def test_from_free_credit_to_a_lost_dispute(site: StripeSite, alice):
    trials.open_trial(alice.pk)
    trials.grant_trial_credit(alice)
    assert credit_of(alice) == 500 and payer_of(alice).mode == BillingAccount.Mode.TRIAL

    site.pay(cards.create_setup(alice.pk))
    bought = site.pay(top_ups.create_checkout(alice.pk, 2000).checkout_url)
    site.drain()
    assert bought and credit_of(alice) == 2500 and payer_of(alice).mode == BillingAccount.Mode.PREPAID

    run(alice, 10)
    assert credit_of(alice) == 1500
    bounds = {"threshold_nanos": 10 * DOLLAR, "target_nanos": 30 * DOLLAR}
    assert auto_reload.save_settings(alice.pk, enabled=True, **bounds) is None
    run(alice, 6)
    reloaded = auto_reload.consider(alice.pk)
    assert reloaded and reloaded.state == TopUp.State.SUCCEEDED and credit_of(alice) == 3000
    site.drain()

    bought.refresh_from_db()
    refund = card_refunds.refund_top_up(bought.pk, reason="Asked for")
    assert refund.amount_cents == 900 and credit_of(alice) == 2100

    dispute = site.world.dispute(reloaded.payment_intent_id or "")
    site.drain()
    assert payer_of(alice).status == BillingAccount.Status.RESTRICTED and not payer_of(alice).reload_enabled
    site.world.close_dispute(dispute, won=False)
    site.drain()
    assert credit_of(alice) == 0 and payer_of(alice).status == BillingAccount.Status.ACTIVE
    assert_books_agree_with_stripe()
    assert reconciliation.run(["ledger", "funds", "stripe"]) == {"ledger": [], "funds": [], "stripe": []}
