"""Does it all add up? Jobs that compare what must be equal; each difference is an alarm.  Source: billing.md 16.2.

A job is one function that yields what differs. Each of its comparisons is one SQL statement, which sees one moment, so
that it may run beside everything else. Higher rooms add theirs when their app is ready.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import connection

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs. subject: `account/12`, `wallet:12`, a posting's key; problem: how, with the amounts in nanos."""

    subject: str
    problem: str


Job = Callable[[], Iterable[Difference]]
_jobs: dict[str, Job] = {}


def job(name: str) -> Callable[[Job], Job]:
    """Register a job under its name, as a decorator."""

    def register(function: Job) -> Job:
        _jobs[name] = function
        return function

    return register


def job_names() -> list[str]:
    """Those that there are."""
    return sorted(_jobs)


def run(names: Sequence[str] = ()) -> dict[str, list[Difference]]:
    """Run the named jobs, all by default; what differs, by job. Each difference is logged as an error.

    Raises KeyError for a name that no job has.
    """
    found = {name: list(_jobs[name]()) for name in names or job_names()}
    for name, differences in found.items():
        for one in differences:
            log.error("billing_difference", job=name, subject=one.subject, problem=one.problem)
    return found


def compare(sql: str, problem: str, params: Sequence[Any] = ()) -> list[Difference]:
    """The rows of a statement as differences: the first column is the subject, `problem` formats the others."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return [Difference(str(subject), problem.format(*rest)) for subject, *rest in cursor.fetchall()]
