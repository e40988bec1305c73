"""A customer with test cards before a hosted page. Source: https://docs.stripe.com/testing."""

import html
import re

from tests.stripe_front.engine_client import loopback

OK = "4242424242424242"
DECLINED_AT_ONCE = "4000000000009995"  # can't be saved either
DECLINED_WHEN_CHARGED = "4000000000000341"  # can be saved
ASKS_UNTIL_SET_UP = "4000002500003155"  # off session only once its owner has proved who they are
ASKS_ALWAYS = "4000002760003184"  # off session never
DISPUTED = "4000000000000259"


class Declined(Exception):
    """The page showed this message instead of sending the customer on."""


def pay(url: str, card: str, *, authenticate: bool) -> str:
    """Give the card, and the proof if the bank wants one; where the page sends the customer. Raises Declined."""
    form = {"number": card, "expiry": "12 / 34", "cvc": "123"}
    with loopback() as browser:
        answer = browser.post(url, data=form)
        if "/authenticate" in answer.headers.get("Location", ""):
            outcome = {"outcome": "complete" if authenticate else "fail"}
            answer = browser.post(answer.headers["Location"], data=outcome)
            if not authenticate:
                raise Declined("The customer did not prove who they are.")
    if answer.status_code != 303:
        found = re.search(r'role="alert">([^<]*)<', answer.text)
        raise Declined(html.unescape(found[1]) if found else answer.text)
    return answer.headers["Location"]
