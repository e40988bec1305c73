"""`python -m tests.chaos.billing_steps`: the way of money from a run's end on, killed where BILLING_CRASH_AT says.

`post:before`, `post:after`, or `post:FUNCTION:2`: when FUNCTION, which the step calls in its transaction, returns from
its second call.
"""

import contextlib
import itertools
import os
import signal
from collections.abc import Callable
from unittest import mock

import django
from django.utils import timezone
from django.utils.module_loading import import_string

# What each step calls between its first and its last write.
INSIDE = {
    "end": ("runner.lifecycle.webhooks.enqueue_many",),
    "post": ("billing.posting.credit.consume", "billing.posting.rollups.merge"),
    "refund": ("billing.refunds.credit.give_back",),
    "expire": ("billing.expiry.credit.consume",),
}
POINTS = [
    *(f"{step}:{where}" for step in INSIDE for where in ("before", "after")),
    *(f"{step}:{path}:{call}" for step, paths in INSIDE.items() for path in paths for call in (1, 2)),
]


def end_runs() -> None:
    """All predictions under way, three at once."""
    from runner import lifecycle
    from runner.lifecycle import Outcome
    from runner.models import Prediction
    from runner.states import Status

    running = list(Prediction.objects.filter(status=Status.PROCESSING).order_by("pk"))
    for start in range(0, len(running), 3):
        outcomes = [
            Outcome(one.pk, one.claim, Status.SUCCEEDED, predict_us=2_000_000) for one in running[start : start + 3]
        ]
        lifecycle.end_many(outcomes)


def post() -> None:
    """In batches of four."""
    from billing import posting

    posting.post_usage(limit=4)


def refund() -> None:
    """The incident that an operator has confirmed."""
    from billing import incidents

    incidents.finish_confirmed()


def expire() -> None:
    """Credit whose time is over."""
    from billing import expiry

    while expiry.expire_due(timezone.now()):
        pass


STEPS: dict[str, Callable[[], None]] = {"end": end_runs, "post": post, "refund": refund, "expire": expire}


def die() -> None:
    """As by kill -9: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def run(crash_at: str) -> None:
    """All steps, up to the point."""
    name, _, where = crash_at.partition(":")
    for step, work in STEPS.items():
        if step == name and where == "before":
            die()
        path, _, call = where.rpartition(":")
        with mock.patch(path, _dying(path, int(call))) if step == name and path else contextlib.nullcontext():
            work()
        if step == name and where == "after":
            die()


def _dying(path: str, call: int) -> Callable[..., object]:
    """The function, which is the end of the process when it returns from that call."""
    module, _, name = path.rpartition(".")
    function = getattr(import_string(module), name)
    calls = itertools.count(1)

    def dying(*args: object, **options: object) -> object:
        result = function(*args, **options)
        if next(calls) == call:
            die()
        return result

    return dying


if __name__ == "__main__":
    django.setup()
    run(os.environ.get("BILLING_CRASH_AT", ""))
