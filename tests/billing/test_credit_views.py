"""Buying credit by the pages, against the stand-in for Stripe: on its page, with the saved card, by itself."""

import re
from typing import Any

import pytest

from billing.models import BillingAccount, CreditBucket, PaymentMethod, TopUp
from tests.billing.factories import fund
from tests.billing.stripe_site import DOLLAR, StripeSite
from tests.plugins.people import Person
from tests.stripe_front import customer

pytestmark = pytest.mark.stripe
PATH = "/account/billing/credit"


@pytest.fixture
def alice_at_home(alice_at_home: Person) -> Person:
    """Her account is charged."""
    fund(alice_at_home.account, 0)
    return alice_at_home


def form_of(person: Person, **fields: str) -> dict[str, str]:
    """A purchase, with the page's own key."""
    key = re.search(r'name="form_key" value="([^"]+)"', person.get(PATH).content.decode())
    assert key
    return {"amount": "50", "form_key": key[1], **fields}


def left_for(page: Any) -> str:
    """The address of the hosted page that a page sends to."""
    address = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page.content.decode())
    assert address
    return address[1].replace("&amp;", "&")


def come_back(site: StripeSite, person: Person, leaving: Any) -> Any:
    """Give a card on the hosted page that a page leaves for, and return."""
    return person.get(f"{PATH}?{site.world.pay(left_for(leaving)).partition('?')[2]}", follow=True)


def test_credit_is_bought_on_the_hosted_page_and_there_on_return(site: StripeSite, alice_at_home: Person) -> None:
    page = come_back(site, alice_at_home, alice_at_home.post(PATH, form_of(alice_at_home, amount="$50.00")))
    assert page.redirect_chain == [(PATH, 302)]
    text = page.content.decode()
    assert "$50.00 of credit is there." in text
    assert "Buy with Visa …4242" in text, "the first purchase saves the card"
    assert CreditBucket.objects.get().remaining_nanos == 50 * DOLLAR


def test_an_account_that_is_not_charged_is_offered_nothing(site: StripeSite, stranger_at_home: Person) -> None:
    page = stranger_at_home.get(PATH).content.decode()
    assert "needs no credit" in page
    assert "Buy credit" not in page


def test_the_saved_card_buys_once_however_often_the_form_is_sent(site: StripeSite, alice_at_home: Person) -> None:
    site.save_card(alice_at_home.account)
    form = form_of(alice_at_home, **{"with": "card"})
    assert "$50.00 of credit is there." in alice_at_home.post(PATH, form, follow=True).content.decode()
    assert "That was bought already." in alice_at_home.post(PATH, form, follow=True).content.decode()
    assert TopUp.objects.count() == 1


@pytest.mark.parametrize(
    ("amount", "said"), [("4", "Must be from 5.00"), ("", "This field is required"), ("much", "Enter a number")]
)
def test_an_amount_that_makes_no_sense_keeps_the_form(
    site: StripeSite, alice_at_home: Person, amount: str, said: str
) -> None:
    answer = alice_at_home.post(PATH, form_of(alice_at_home, amount=amount))
    assert answer.status_code in (400, 422)
    page = answer.content.decode()
    assert said in page
    assert f'value="{amount}"' in page or not amount
    assert not TopUp.objects.exists()


def test_a_decline_is_told_and_may_be_tried_again(site: StripeSite, alice_at_home: Person) -> None:
    site.save_card(alice_at_home.account, customer.DECLINED_WHEN_CHARGED)
    answer = alice_at_home.post(PATH, form_of(alice_at_home, **{"with": "card"}))
    assert answer.status_code == 402
    assert "declined" in answer.content.decode()
    retry = {"amount": "50", "form_key": re.findall(r'name="form_key" value="([^"]+)"', answer.content.decode())[0]}
    assert left_for(alice_at_home.post(PATH, retry))


def test_auto_reload_is_set_and_its_bounds_are_said_at_their_fields(site: StripeSite, alice_at_home: Person) -> None:
    site.save_card(alice_at_home.account)
    form = {"enabled": "on", "threshold": "10", "target": "5", "monthly_cap": ""}
    refused = alice_at_home.post(f"{PATH}/reload", form)
    assert refused.status_code == 422
    assert "Must be at least 15.00." in refused.content.decode()
    done = alice_at_home.post(f"{PATH}/reload", {**form, "target": "30"}, follow=True).content.decode()
    assert "Auto-reload is on." in done
    payer = BillingAccount.objects.get(account=alice_at_home.account)
    assert (payer.reload_enabled, payer.reload_threshold_nanos, payer.reload_target_nanos) == (
        True, 10 * DOLLAR, 30 * DOLLAR,
    )  # fmt: skip


def test_cards_are_added_chosen_and_removed(site: StripeSite, alice_at_home: Person) -> None:
    first = site.save_card(alice_at_home.account, customer.ASKS_UNTIL_SET_UP)
    come_back(site, alice_at_home, alice_at_home.post(f"{PATH}/cards"))
    second = PaymentMethod.objects.exclude(pk=first.pk).get()
    alice_at_home.post(f"{PATH}/cards/{second.pk}/default")
    assert PaymentMethod.objects.get(is_default=True) == second
    alice_at_home.post(f"{PATH}/cards/{second.pk}/remove")
    assert [card.pk for card in PaymentMethod.objects.filter(detached_at=None)] == [first.pk]


def test_somebody_elses_card_and_payment_are_left_alone(
    site: StripeSite, alice_at_home: Person, stranger_at_home: Person
) -> None:
    card = site.save_card(alice_at_home.account)
    for change in ("default", "remove"):
        assert stranger_at_home.post(f"{PATH}/cards/{card.pk}/{change}").status_code == 404
    page = come_back(site, stranger_at_home, alice_at_home.post(PATH, form_of(alice_at_home))).content.decode()
    assert "credit is there" not in page
    assert not TopUp.objects.filter(state=TopUp.State.SUCCEEDED).exists()


def test_while_stripe_is_down_nothing_is_charged_and_it_is_said(site: StripeSite, alice_at_home: Person) -> None:
    site.world.fail("POST", ".*", 500, "before", times=50)
    answer = alice_at_home.post(PATH, form_of(alice_at_home))
    assert answer.status_code == 503
    assert "Nothing was charged" in answer.content.decode()


def test_without_stripe_there_is_no_dead_control(alice_at_home: Person, settings: Any) -> None:
    settings.STRIPE_SECRET_KEY = ""
    fund(alice_at_home.account, DOLLAR)
    page = alice_at_home.get(PATH).content.decode()
    assert "an operator grants credit" in page
    assert "<form" not in page.partition("<main")[2].partition("</main>")[0]
    assert alice_at_home.post(f"{PATH}/cards", follow=True).status_code == 200
