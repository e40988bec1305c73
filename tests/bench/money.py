"""How quickly usage is posted, and a month reported, as usage records grow to millions.

`python -m tests.bench.money` fills a database of its own up to each size in turn; at each it posts a backlog as the
sweep does, and reports months. `--millions 0.2 --backlog 2000 --dry` only shows that the harness works.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import django
from django.core.management import call_command

from marketplace import embedded
from tests.bench.report import machine, table, write_money

ACCOUNTS = 10_000
_ABOUT = """\
Made by `make bench-billing` (`tests/bench/money.py`). At each size one process posts a backlog of {backlog:,} records
in batches of 500 of an account, out of {accounts:,} accounts: credit, ledger, roll-up, a signed receipt for each run.
Then a month is summed as the usage page shows it, for a usual account and for one with a tenth of all records, and for
all accounts together by model. Everything was compared with everything afterwards (`manage.py billing_check`).

Machine: {machine}, with other work beside it."""


@dataclass(frozen=True)
class Measured:
    """At one size. per_second: records posted; the others are medians of a month's report."""

    records: int
    per_second: float
    usual_ms: float
    big_ms: float
    all_ms: float


def main() -> None:
    """Measure and report."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="my-bench-", dir="/tmp") as folder:
        measured = list(_measure(Path(folder), [int(size * 1e6) for size in options.millions], options.backlog))
    text = section(measured, options.backlog)
    print(text)
    if not options.dry:
        write_money(text)


def section(measured: list[Measured], backlog: int) -> str:
    """Markdown."""
    base = measured[0]
    head = ["records", "posted per s", f"÷ at {base.records:,}", "a month: usual, ms", "a tenth, ms", "all, ms"]
    head.append(f"a tenth ÷ at {base.records:,}")
    rows = [
        [
            f"{each.records:,}",
            f"{each.per_second:,.0f}",
            f"{each.per_second / base.per_second:.2f}",
            f"{each.usual_ms:.1f}",
            f"{each.big_ms:.1f}",
            f"{each.all_ms:.0f}",
            f"{each.big_ms / base.big_ms:.2f}",
        ]
        for each in measured
    ]
    about = _ABOUT.format(backlog=backlog, accounts=ACCOUNTS, machine=machine())
    return f"{about}\n\n{table(head, rows)}"


def _measure(folder: Path, sizes: list[int], backlog: int) -> Iterator[Measured]:
    with embedded.running(folder) as (database_url, redis_url):
        os.environ |= {"VAR_DIR": str(folder), "DATABASE_URL": database_url, "REDIS_URL": redis_url}
        os.environ |= {"SECRET_KEY": "only-for-measuring", "DJANGO_SETTINGS_MODULE": "tests.settings"}
        django.setup()
        from tests.bench import money_rows

        call_command("migrate", verbosity=0)
        rows = money_rows.Rows(ACCOUNTS)
        for size in sorted(sizes):
            _tell(f"filling up to {size:,} records")
            rows.fill_to(size)
            _tell("posting")
            per_second = rows.post(backlog)
            _tell("reporting")
            yield Measured(size, per_second, rows.report_usual_ms(), rows.report_big_ms(), rows.report_all_ms())
        _tell("comparing")
        rows.ensure_it_adds_up()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=lambda text: [float(size) for size in text.split(",")], default=[1, 3, 10])
    parser.add_argument("--backlog", type=int, default=100_000, help="records that are posted at each size")
    parser.add_argument("--dry", action="store_true", help="don't write docs/benchmarks.md")
    return parser.parse_args()


def _tell(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
