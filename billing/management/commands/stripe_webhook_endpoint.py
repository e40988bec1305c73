"""`manage.py stripe_webhook_endpoint`: have Stripe send this site its events, in the API version of the SDK.

An endpoint's version can't be changed: after an update that brings a new one make another endpoint, add its secret to
STRIPE_WEBHOOK_SECRETS, and remove the old one in the dashboard once the new one has brought events.
"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing import stripe_checks
from billing.stripe_gateway import balance
from billing.stripe_gateway.errors import StripeFailure
from billing.stripe_handlers import EVENT_TYPES
from marketplace.lib.ids import new_id


class Command(BaseCommand):
    """Makes the endpoint and prints its secret, which Stripe tells only now."""

    help = "Make a webhook endpoint at Stripe and print its secret."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to, by default this site's public address."""
        parser.add_argument("--url", default=stripe_checks.webhook_url())

    def handle(self, *, url: str, **options: Any) -> None:
        """Raises CommandError where Stripe refuses or does not answer."""
        try:
            endpoint_id, secret = balance.create_webhook_endpoint(url, EVENT_TYPES, key=f"endpoint:{new_id()}")
        except StripeFailure as error:
            raise CommandError(f"{type(error).__name__}: {error}") from error
        self.stdout.write(f"{endpoint_id} sends events to {url}. Add its secret to STRIPE_WEBHOOK_SECRETS:\n{secret}")
