"""App configuration."""

from django.apps import AppConfig


class MarketplaceConfig(AppConfig):
    """The site."""

    name = "marketplace"
