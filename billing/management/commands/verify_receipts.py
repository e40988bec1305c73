"""`manage.py verify_receipts FILE`: check exported run receipts, by this site's keys or by those of a file."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing import receipt_checks, receipt_keys


class Command(BaseCommand):
    """Reads nothing but the files: it needs no database."""

    help = "Check the signatures and the chain of run receipts that GET /v1/billing/receipts gave."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """FILE has one receipt a line."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--keys", type=Path, help="what GET /v1/billing/receipt-keys answered, once")

    def handle(self, *, file: Path, keys: Path | None, **options: Any) -> None:
        """Exits with 1 and the flaws where there are any."""
        try:
            known = _keys(keys)
            with file.open(encoding="utf-8") as lines:
                report = receipt_checks.check(lines, known)
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"It can't be read: {error}") from error
        if report.flaws:
            raise CommandError("\n".join(report.flaws))
        if not report.receipts:
            raise CommandError(f"There are no receipts in {file}.")
        print(f"{report.receipts} receipts, {report.first} to {report.last}: all are signed, and none is missing.")


def _keys(path: Path | None) -> dict[str, str]:
    """Public keys in base64 by their ids. Raises CommandError, OSError."""
    if path is None:
        return {key.id: key.text for key in receipt_keys.public_keys()}
    try:
        return {key["id"]: key["public_key"] for key in json.loads(path.read_text())["keys"]}
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(f"{path} is not what GET /v1/billing/receipt-keys answers.") from error
