"""`manage.py billing_check [JOB …]`: does the money add up? Prints what differs, and fails if anything does."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing import ledger_checks, reconciliation, rollups, seals


class Command(BaseCommand):
    """Runs the reconciliation jobs."""

    help = "Compare what must be equal about money; fails if anything differs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Jobs, all by default; repairs only where asked."""
        parser.add_argument("jobs", nargs="*", help=f"of {', '.join(reconciliation.job_names())}; default: all")
        parser.add_argument("--all-seals", action="store_true", help="recompute every sealed day, not the last week's")
        parser.add_argument(
            "--fix-balances", action="store_true", help="first make balances and funds anew from the ledger's entries"
        )
        parser.add_argument("--fix-rollups", action="store_true", help="first make roll-ups anew from the records")

    def handle(
        self, *, jobs: list[str], all_seals: bool, fix_balances: bool, fix_rollups: bool, **options: Any
    ) -> None:
        """Raises CommandError for an unknown job, and where something differs."""
        if unknown := set(jobs) - set(reconciliation.job_names()):
            raise CommandError(f"There is no job {', '.join(sorted(unknown))}.")
        if fix_balances:
            ledger_checks.rebuild_balances()
        if fix_rollups:
            rollups.rebuild()
        found = reconciliation.run(jobs)
        if all_seals:
            found["seals"] = list(seals.check(days=None))
        for name, differences in found.items():
            self.stdout.write(f"{name}: {len(differences) or 'no'} differences")
            for one in differences:
                self.stdout.write(f"  {one.subject}: {one.problem}")
        if any(found.values()):
            raise CommandError("The money does not add up.")
