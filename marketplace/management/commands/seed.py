"""`manage.py seed`: publish the sample models, as at the first start. May be stopped and started again."""

from typing import Any

from django.core.management.base import BaseCommand

from marketplace import seeding


class Command(BaseCommand):
    """Run beside the platform: workers build, the runner runs the examples."""

    help = "Publish the sample models and run an example of each."

    def handle(self, **options: Any) -> None:
        """Tells each step on stdout; what failed is told and does not stop the rest."""
        seeding.seed(self._tell)

    def _tell(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
