"""Webhooks: believed, stored once, answered, processed later; and what makes up for those that never came."""

import datetime
import json
import time

import pytest
from django.utils import timezone

from billing import cards, holds, stripe_events, top_ups
from billing.holds import HoldRequest
from billing.models import PaymentMethod, StripeEvent, TopUp
from billing.stripe_webhook import MAX_BODY_BYTES
from tests.billing.stripe_site import WEBHOOKS, StripeSite, credit_of, enable_reload, payer_of, top_up_postings
from tests.stripe_front import events

pytestmark = pytest.mark.stripe


def test_an_event_is_stored_once_and_answered_each_time(site: StripeSite, buyer):
    site.buy(buyer)
    site.world.switches.copies = 2
    answers = [delivery.status for delivery in site.world.deliver(site.post)]
    assert answers == [200] * len(answers) and len(answers) == 2 * StripeEvent.objects.count()
    event = StripeEvent.objects.get(type="payment_intent.succeeded")
    assert (event.state, event.tries, event.livemode) == (StripeEvent.State.RECEIVED, 0, False)
    assert StripeEvent.objects.filter(type="customer.created", state=StripeEvent.State.IGNORED).exists()


def test_inv_12_processing_an_event_again_changes_nothing(site, buyer):
    site.buy(buyer)
    site.drain()
    handled = StripeEvent.objects.filter(state=StripeEvent.State.DONE)
    count = handled.update(state=StripeEvent.State.RECEIVED, next_try_at=timezone.now())
    assert stripe_events.process_due() == count > 0
    assert credit_of(buyer) == 5000 and top_up_postings() == 1


def test_f29_what_no_webhook_brought_the_poller_brings(site, buyer):
    top_up = top_ups.create_checkout(buyer.pk, 5000)
    site.world.pay(top_up.checkout_url)
    site.world.switches.retries = False
    site.world.deliver(lambda body, headers: 503)
    assert site.world.waiting() == [] and credit_of(buyer) == 0
    assert stripe_events.poll() == len(site.world.events())
    stripe_events.process_due()
    assert credit_of(buyer) == 5000


def test_the_poller_looks_back_an_hour_from_where_it_was(site, buyer):
    now = timezone.now()
    stripe_events.poll(now=now + datetime.timedelta(minutes=59))
    site.buy(buyer)
    StripeEvent.objects.all().delete()
    assert stripe_events.poll(now=now) > 0
    stripe_events.poll(now=now + datetime.timedelta(hours=2))
    assert stripe_events.poll(now=now) == 0


def break_signature(**how: int | bool):
    def broken(world) -> None:
        for name, value in how.items():
            setattr(world.switches, name, value)

    return broken


@pytest.mark.parametrize(
    "spoil",
    [
        break_signature(wrong_secret=True),
        break_signature(timestamp_offset=-301),
        break_signature(timestamp_offset=330),
    ],
    ids=["wrong secret", "old", "future"],
)
def test_f30_what_stripe_did_not_sign_now_is_refused(site, buyer, spoil):
    spoil(site.world)
    assert {delivery.status for delivery in site.world.deliver(site.post)} == {400}
    assert not StripeEvent.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda body, headers: (body.replace(b"cus_", b"cux_"), headers),
        lambda body, headers: (body, {"Content-Type": "application/json"}),
        lambda body, headers: (b"", headers),
    ],
    ids=["tampered", "no signature", "empty"],
)
def test_f30_a_changed_delivery_is_refused(site, buyer, change):
    answers = {one.status for one in site.world.deliver(lambda body, headers: site.post(*change(body, headers)))}
    assert answers == {400} and not StripeEvent.objects.exists()


def test_f30_a_live_event_is_refused_by_a_test_site(site, buyer):
    site.world.switches.paused = True
    body = json.dumps({**site.world.events()[0], "livemode": True}).encode()
    assert site.post(body, events.signed(body, site.world.webhook_secret, int(time.time()))) == 400
    assert not StripeEvent.objects.exists()


def test_a_body_that_is_too_large_is_refused_before_it_is_read(site):
    assert site.api.post(WEBHOOKS, content=b"x" * (MAX_BODY_BYTES + 1)).status_code == 413
    assert site.api.get(WEBHOOKS).status_code == 405


def test_f31_none_is_lost_while_the_secret_changes(site, buyer, settings):
    old, new = site.world.webhook_secret, "whsec_new"
    site.buy(buyer)
    settings.STRIPE_WEBHOOK_SECRETS = [old, new]
    assert all(one.ok for one in site.world.deliver(site.post))
    site.world.webhook_secret = new
    site.buy(buyer)
    assert all(one.ok for one in site.world.deliver(site.post))
    settings.STRIPE_WEBHOOK_SECRETS = [new]
    site.drain()
    assert StripeEvent.objects.count() == len(site.world.events())


def test_what_fails_is_tried_again_later_and_is_dead_in_the_end(site, buyer):
    top_up = top_ups.create_checkout(buyer.pk, 5000)
    site.world.pay(top_up.checkout_url)
    site.world.deliver(site.post)
    site.world.fail("GET", ".*", 500, "before", times=10_000)
    succeeded = StripeEvent.objects.filter(type="payment_intent.succeeded")
    for tries in range(1, stripe_events.MOST_TRIES + 1):
        StripeEvent.objects.exclude(pk=succeeded.get().pk).update(
            next_try_at=timezone.now() + datetime.timedelta(days=1)
        )
        stripe_events.process_due(now=succeeded.get().next_try_at)
        assert succeeded.get().tries == tries
    assert succeeded.get().state == StripeEvent.State.DEAD and "Unanswered" in succeeded.get().error
    site.world.faults.asked.clear()
    stripe_events.retry(succeeded.get().pk)
    stripe_events.process_due()
    assert succeeded.get().state == StripeEvent.State.DONE and credit_of(buyer) == 5000


def test_a_worker_that_dies_leaves_its_event_to_another(site, buyer):
    site.buy(buyer)
    site.world.deliver(site.post)
    claimed = stripe_events._claim(timezone.now())
    assert claimed
    stripe_events.process_due()
    claimed.refresh_from_db()
    assert claimed.state == StripeEvent.State.RECEIVED
    stripe_events.process_due(now=claimed.next_try_at)
    claimed.refresh_from_db()
    assert claimed.state == StripeEvent.State.DONE


def test_a_card_that_was_removed_at_stripe_is_gone_here(site, buyer):
    enable_reload(buyer)
    card = cards.list_cards(buyer.pk).get()
    site.world.engine.post(f"/v1/payment_methods/{card.pk}/detach")
    site.drain()
    assert not cards.list_cards(buyer.pk).exists() and not payer_of(buyer).reload_enabled


def test_a_card_that_was_renewed_shows_its_new_expiry(site, buyer):
    card = cards.list_cards(buyer.pk).get()
    site.world.renew_card(card.pk, exp_year=2040)
    site.drain()
    assert cards.list_cards(buyer.pk).get().exp_year == 2040


@pytest.mark.parametrize("ok", [True, False])
def test_a_slow_payment_is_credited_when_it_has_succeeded(site, buyer, ok):
    site.world.slow_payments = True
    top_up = site.buy(buyer)
    site.drain()
    top_up.refresh_from_db()
    assert top_up.state == TopUp.State.SENT and top_up.payment_intent_id and credit_of(buyer) == 0
    site.world.finish(top_up.payment_intent_id, ok=ok)
    site.drain()
    top_up.refresh_from_db()
    assert (top_up.state, credit_of(buyer)) == ((TopUp.State.SUCCEEDED, 5000) if ok else (TopUp.State.FAILED, 0))


@pytest.mark.parametrize("ok", [True, False])
def test_a_slow_payment_on_the_page(site, alice, ok):
    site.world.slow_payments = True
    top_up = site.pay(top_ups.create_checkout(alice.pk, 5000).checkout_url)
    site.drain()
    assert credit_of(alice) == 0
    top_up.refresh_from_db()
    site.world.finish(top_up.payment_intent_id, ok=ok)
    site.drain()
    top_up.refresh_from_db()
    assert (top_up.state, credit_of(alice)) == ((TopUp.State.SUCCEEDED, 5000) if ok else (TopUp.State.FAILED, 0))


def test_f42_a_customer_deleted_at_stripe_is_forgotten_and_made_anew(site, buyer):
    site.buy(buyer)
    enable_reload(buyer)
    assert holds.place_many([HoldRequest("prediction/1", buyer.pk, 10_000_000)]) == {}
    old = payer_of(buyer).stripe_customer_id
    site.delete_customer(old)
    site.drain()
    payer = payer_of(buyer)
    assert payer.stripe_customer_id is None and not payer.reload_enabled
    assert not PaymentMethod.objects.exists()
    assert credit_of(buyer) == 5000 and payer.held_nanos == 10_000_000
    assert holds.release("prediction/1") and payer_of(buyer).held_nanos == 0
    site.save_card(buyer)
    assert payer_of(buyer).stripe_customer_id not in (None, old)
    site.buy(buyer)
    assert credit_of(buyer) == 10_000
