"""App configuration."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Prices, usage and money."""

    name = "billing"

    def ready(self) -> None:
        """Listen to the facts of lower rooms, and have the jobs of reconciliation."""
        from billing import (  # noqa: F401
            invoice_checks,
            ledger_checks,
            receivers,
            seals,
            stripe_reconciliation,
            usage_checks,
        )
