"""A person pays on the stand-in's pages with a browser."""

import shutil

import pytest
from playwright.sync_api import sync_playwright

from tests.stripe_front import checkout, customer
from tests.stripe_front.world import World

pytestmark = [pytest.mark.stripe, pytest.mark.browser, pytest.mark.slow]


def test_a_payment_with_a_proof_of_who_pays(stripe_world: World):
    price = {"currency": "usd", "unit_amount": "5000", "product_data": {"name": "Credit"}}
    asked = {"mode": "payment", "success_url": "https://shop.test/done", "line_items": [{"price_data": price}]}
    session = checkout.create(stripe_world, asked)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.route("https://shop.test/**", lambda route: route.fulfill(body="Thank you"))
        page.goto(session["url"])
        page.get_by_label("Card number").fill(customer.ASKS_ALWAYS)
        page.get_by_role("button", name="Pay").click()
        page.get_by_role("button", name="Complete").click()
        page.wait_for_url("https://shop.test/done")
        browser.close()
    assert checkout.find(stripe_world, session["id"]).shown["payment_status"] == "paid"
