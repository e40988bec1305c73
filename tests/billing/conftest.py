"""This site with the stand-in for Stripe behind it."""

import pytest
import stripe

from accounts.models import Account
from tests.billing.stripe_site import StripeSite
from tests.plugins.api_client import ApiClient
from tests.stripe_front.world import World


@pytest.fixture
def site(stripe_world: World, settings, monkeypatch, anonymous_api: ApiClient) -> StripeSite:
    """Configured for the test's Stripe account; the SDK repeats calls without waiting."""
    settings.STRIPE_SECRET_KEY = stripe_world.secret_key
    settings.STRIPE_API_BASE = stripe_world.base_url
    settings.STRIPE_WEBHOOK_SECRETS = [stripe_world.webhook_secret]
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.01)
    monkeypatch.setattr(stripe.HTTPClient, "MAX_DELAY", 0.01)
    return StripeSite(stripe_world, anonymous_api)


@pytest.fixture
def buyer(site: StripeSite, alice: Account) -> Account:
    """Alice, with a saved card and no credit."""
    site.save_card(alice)
    return alice
