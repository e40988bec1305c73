"""App configuration."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Prices, usage and money."""

    name = "billing"

    def ready(self) -> None:
        """Listen to the facts of lower rooms."""
        from billing import receivers  # noqa: F401
