"""Auto-reload: buys when credit is low, once, within bounds, and gives up in time."""

import datetime
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from billing import auto_reload, cards, limits, top_ups
from billing.models import BillingAccount, LimitPeriod, SpendCounter, TopUp
from billing.payment_problems import NoCard, PaymentsAreOff
from marketplace.lib.problems import Conflict, ValidationFailed
from tests.billing.factories import use
from tests.billing.stripe_site import (
    DOLLAR,
    INTENTS,
    StripeSite,
    assert_books_agree_with_stripe,
    credit_of,
    enable_reload,
    payer_of,
    spend,
    together,
)
from tests.stripe_front import customer

pytestmark = pytest.mark.stripe
HOUR = datetime.timedelta(hours=1)


def save(account, **changes: Any) -> Any:
    """The purchase that follows from saving the settings."""
    usual: dict[str, Any] = {"enabled": True, "threshold_nanos": 10 * DOLLAR, "target_nanos": 30 * DOLLAR}
    return auto_reload.save_settings(account.pk, **{**usual, **changes})


def consider(account_id: int, **how: Any) -> Any:
    """The purchase that is made now."""
    return auto_reload.consider(account_id, **how)


def test_low_credit_is_filled_up_to_the_target(site: StripeSite, buyer):
    site.buy(buyer, 1000)
    enable_reload(buyer)
    top_up = consider(buyer.pk)
    assert (top_up.source, top_up.amount_cents, top_up.state) == ("auto_reload", 2000, "succeeded")
    assert credit_of(buyer) == 3000
    assert consider(buyer.pk) is None
    site.drain()
    assert credit_of(buyer) == 3000
    assert_books_agree_with_stripe()


def test_usage_that_is_not_posted_counts_and_amounts_are_whole_cents_upwards(site, buyer):
    site.buy(buyer, 1100)
    enable_reload(buyer)
    assert consider(buyer.pk) is None
    use(buyer, 1_234_567, hardware="gpu-h100", occurred_at=timezone.now())  # less than a cent
    use(buyer, 700_000_000, hardware="gpu-h100", occurred_at=timezone.now())  # 1.0675 dollars
    assert consider(buyer.pk).amount_cents == 2007


def test_saving_the_settings_buys_at_once_where_credit_is_low_already(site, buyer):
    enable_reload(buyer, threshold=5)
    top_up = save(buyer)
    assert top_up.state == TopUp.State.SUCCEEDED and credit_of(buyer) == 3000


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"threshold_nanos": 4 * DOLLAR}, "threshold"),
        ({"target_nanos": 14 * DOLLAR, "threshold_nanos": 5 * DOLLAR}, "target"),
        ({"target_nanos": 20 * DOLLAR, "threshold_nanos": 20 * DOLLAR}, "target"),
        ({"target_nanos": 2001 * DOLLAR}, "target"),
        ({"monthly_cap_nanos": 19 * DOLLAR}, "monthly_cap"),
    ],
)
def test_settings_are_checked(site, buyer, changes, field):
    BillingAccount.objects.update(mode="prepaid")
    with pytest.raises(ValidationFailed, match=field):
        save(buyer, **changes)
    assert not payer_of(buyer).reload_enabled


def test_an_account_that_is_not_charged_has_no_use_for_it(site, buyer):
    with pytest.raises(Conflict):
        save(buyer)


def test_it_needs_a_card_and_payments(site, alice, settings):
    BillingAccount.objects.create(account=alice, mode="prepaid")
    with pytest.raises(NoCard):
        save(alice)
    settings.STRIPE_SECRET_KEY = ""
    with pytest.raises(PaymentsAreOff):
        save(alice)
    assert save(alice, enabled=False) is None


def test_the_monthly_cap_is_hard(site, buyer):
    enable_reload(buyer, reload_monthly_cap_nanos=36 * DOLLAR)
    assert consider(buyer.pk).amount_cents == 3000
    spend(buyer, 30 * DOLLAR)
    assert consider(buyer.pk).amount_cents == 600
    assert consider(buyer.pk) is None
    TopUp.objects.update(created_at=timezone.now() - datetime.timedelta(days=32))
    assert consider(buyer.pk).amount_cents == 2400


def test_credit_that_a_limit_would_not_let_be_spent_is_not_bought(site, buyer):
    enable_reload(buyer)
    limit = limits.set_limit(buyer.pk, period=LimitPeriod.MONTH, limit_nanos=50 * DOLLAR)
    SpendCounter.objects.filter(limit=limit).update(spent_nanos=50 * DOLLAR)
    assert consider(buyer.pk) is None
    SpendCounter.objects.filter(limit=limit).update(spent_nanos=49 * DOLLAR)
    assert consider(buyer.pk)


@pytest.mark.parametrize("status", ["restricted", "suspended", "closed"])
def test_an_account_that_is_not_active_buys_nothing(site, buyer, status):
    enable_reload(buyer, status=status)
    assert consider(buyer.pk) is None
    auto_reload.sweep(now=timezone.now())
    assert site.sent(INTENTS) == []


def test_the_sweep_finds_what_nobody_woke_it_for(site, buyer, stranger):
    enable_reload(buyer)
    BillingAccount.objects.create(account=stranger, mode="prepaid", reload_enabled=False)
    auto_reload.sweep(now=timezone.now())
    assert credit_of(buyer) == 3000
    assert TopUp.objects.count() == 1


def test_f34_many_at_once_make_one_payment(site, buyer):
    enable_reload(buyer)
    together(lambda: consider(buyer.pk), 50)
    assert len(site.sent(INTENTS)) == 1 and site.charges() == 1
    assert credit_of(buyer) == 3000


def test_f32_three_declines_with_growing_pauses_turn_it_off(site, alice):
    site.save_card(alice, customer.DECLINED_WHEN_CHARGED)
    enable_reload(alice)
    now = timezone.now()
    for number, pause in enumerate([HOUR, 6 * HOUR, None], start=1):
        assert consider(alice.pk, now=now).state == TopUp.State.FAILED
        site.drain()
        payer = payer_of(alice)
        assert (payer.reload_failures, payer.reload_enabled) == (number, pause is not None)
        if pause:
            assert abs(payer.reload_not_before - timezone.now() - pause) < datetime.timedelta(minutes=1)
            assert consider(alice.pk, now=timezone.now()) is None
            now = payer.reload_not_before
    keys = site.sent(INTENTS)
    assert len(set(keys)) == 3 and [key.rsplit(":", 1)[1] for key in keys] == ["1", "2", "3"]
    assert [one.subject for one in mail.outbox] == ["[Modelyard] Auto-reload failed"] * 2 + [
        "[Modelyard] Auto-reload is off"
    ]
    assert "Check the card" in payer_of(alice).reload_note
    assert consider(alice.pk, now=now + 100 * HOUR) is None


def test_turning_it_on_again_starts_anew(site, alice):
    site.save_card(alice, customer.DECLINED_WHEN_CHARGED)
    enable_reload(alice, reload_failures=2)
    consider(alice.pk)
    assert not payer_of(alice).reload_enabled
    site.save_card(alice)
    cards.set_default(alice.pk, cards.list_cards(alice.pk).filter(is_default=False).get().pk)
    assert save(alice).state == TopUp.State.SUCCEEDED
    assert payer_of(alice).reload_failures == 0


def test_a_payment_by_hand_forgives_failures(site, buyer):
    enable_reload(buyer, reload_failures=2, reload_not_before=timezone.now() + HOUR, reload_note="Declined.")
    site.buy(buyer)
    payer = payer_of(buyer)
    assert (payer.reload_failures, payer.reload_not_before, payer.reload_note) == (0, None, "")


def test_a_bank_that_wants_its_customer_stops_further_attempts(site, alice):
    site.save_card(alice, customer.ASKS_ALWAYS)
    enable_reload(alice)
    top_up = consider(alice.pk)
    assert top_up.state == TopUp.State.REQUIRES_ACTION
    assert consider(alice.pk) is None
    site.pay(top_up.checkout_url)
    site.drain()
    assert credit_of(alice) == 3000 and site.charges() == 1


def test_a_payment_that_got_lost_needs_a_person(site, buyer):
    enable_reload(buyer)
    site.world.fail("POST", INTENTS, "drop", "before", times=3)
    top_up = consider(buyer.pk)
    TopUp.objects.filter(pk=top_up.pk).update(sent_at=timezone.now() - 21 * HOUR)
    top_ups.resolve_due(now=timezone.now() + HOUR)
    payer = payer_of(buyer)
    assert not payer.reload_enabled and "lost" in payer.reload_note


def test_removing_the_default_card_turns_it_off(site, buyer):
    enable_reload(buyer)
    card = cards.list_cards(buyer.pk).get()
    cards.detach(buyer.pk, card.pk)
    payer = payer_of(buyer)
    assert not payer.reload_enabled and "was removed" in payer.reload_note
    assert not cards.list_cards(buyer.pk).exists()
    site.drain()
    assert [one.subject for one in mail.outbox] == ["[Modelyard] Auto-reload is off"]
