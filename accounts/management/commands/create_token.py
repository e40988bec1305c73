"""`manage.py create_token USER`: make an API token for a user's account and print it, and nothing else."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import tokens
from accounts.models import Account


class Command(BaseCommand):
    """Prints the token: the only time it can be read."""

    help = "Make an API token for a user and print it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """USER is the name of the account; --name is what the tokens page shows."""
        parser.add_argument("user")
        parser.add_argument("--name", default="command line", help="how the token is called on the tokens page")

    def handle(self, *, user: str, name: str, **options: Any) -> None:
        """Fails with a message for an unknown user."""
        account = Account.objects.filter(username__iexact=user, kind=Account.Kind.USER).select_related("user").first()
        if account is None:
            raise CommandError(f"There is no user {user!r}. Make one with: manage.py createsuperuser, or sign up.")
        if account.is_suspended:
            raise CommandError(f"{user} is suspended; its tokens would not work.")
        _, text = tokens.issue(account, name=name[:64], created_by=account.user)
        self.stdout.write(text)
