"""`manage.py billing_stripe_check`: is Stripe set up, and what is left to try by hand? Fails if anything is wrong."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing import stripe_checks


class Command(BaseCommand):
    """Prints the checklist."""

    help = "Check how payments are set up; fails if anything is wrong."

    def handle(self, **options: Any) -> None:
        """Raises CommandError if a check fails."""
        checks = list(stripe_checks.run_checks())
        for one in checks:
            self.stdout.write(f"{'ok   ' if one.is_ok else 'WRONG'} {one.name}: {one.detail}")
        self.stdout.write("\nOnce with a test key, by hand:")
        for line in stripe_checks.BY_HAND:
            self.stdout.write(f"  - {line}")
        if not all(one.is_ok for one in checks):
            raise CommandError("Payments are not set up as they must be.")
