"""`manage.py serve`: the whole platform as one command, with nothing else installed."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from marketplace import serve


class Command(BaseCommand):
    """Stops everything on Ctrl-C or SIGTERM. May be killed: the next start cleans up."""

    help = "Start PostgreSQL and Valkey (unless DATABASE_URL and REDIS_URL name others), web, runner, worker and beat."
    requires_system_checks = ()  # they may ask for the database, which is not up yet; the children do them

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The port is PORT's."""
        parser.add_argument("--host", default=settings.LISTEN_HOST, help="address to listen on (default: %(default)s)")

    def handle(self, *, host: str, **options: Any) -> None:
        """Exits with 1 if it can't start."""
        try:
            code = serve.run(serve.site_plan(host, settings.PORT))
        except serve.Refused as refused:
            raise CommandError(str(refused)) from refused
        if code:
            raise SystemExit(code)
