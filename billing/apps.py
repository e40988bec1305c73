"""App configuration."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Prices and usage."""

    name = "billing"
