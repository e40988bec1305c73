"""`manage.py publish FOLDER OWNER/NAME`: publish a folder with a cog.yaml, printing its build as it goes."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.models import Account
from marketplace.lib.problems import Problem
from models_catalog.model_fields import NewModel
from runner import publish_folders


class Command(BaseCommand):
    """Works beside a running platform: it needs the database and Redis; a worker does the build."""

    help = "Publish a folder with a cog.yaml as a version of a model, which is created if it is missing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options count only for a model that is created."""
        parser.add_argument("folder", type=Path)
        parser.add_argument("model", metavar="OWNER/NAME")
        parser.add_argument("--private", action="store_true", help="only the owner sees it")
        parser.add_argument("--hardware", default="cpu-small", help="SKU it runs on (default: cpu-small)")
        parser.add_argument("--description", default="")

    def handle(
        self, *, folder: Path, model: str, private: bool, hardware: str, description: str, **options: Any
    ) -> None:
        """Exits with 1 and the reason if it can't be published or its build fails."""
        owner, slash, name = model.partition("/")
        if not slash:
            raise CommandError(f"Expected OWNER/NAME, got {model!r}.")
        account = Account.objects.filter(username__iexact=owner).first()
        if account is None:
            raise CommandError(f"There is no account {owner!r}.")
        caller = publish_folders.caller_for_account(account)
        visibility = "private" if private else "public"
        try:
            found = publish_folders.ensure_model(
                caller, NewModel(account.username, name, visibility, hardware, description=description)
            )
            version = publish_folders.submit_folder(caller, found, folder)
        except Problem as problem:
            raise CommandError(problem.detail) from problem
        for text in publish_folders.watch(version):
            self.stdout.write(text, ending="")
            self.stdout.flush()
        if error := publish_folders.build_error(version):
            raise CommandError(error)
        self.stdout.write(self.style.SUCCESS(f"Published {found.full_name}:{version.pk}"))
        self.stdout.write(f"{settings.PUBLIC_URL}/{found.full_name}")
