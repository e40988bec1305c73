"""The supervisor as a process of its own, with shell one-liners for children."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from marketplace.supervision import STOP_SECONDS, pause_seconds

ROOT = Path(__file__).parents[2]
SUPERVISE = """
import json, sys
from marketplace.children import Program
from marketplace.supervision import supervising
with supervising() as supervisor:
    for batch in json.loads(sys.argv[1]):
        supervisor.begin_batch()
        supervisor.start(*[Program(name, ("bash", "-c", script)) for name, script in batch.items()])
        supervisor.wait_until_ready(10)
    supervisor.show("all up")
    supervisor.watch()
"""
LIVES = "echo pid $$; exec sleep 600"
SAYS_BYE = "trap 'echo bye; exit' TERM; echo pid $$; while :; do sleep 0.05; done"
STUBBORN = "trap '' TERM; echo pid $$; while :; do sleep 0.05; done"


class Supervised:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []

    def wait_for(self, pattern: str, *, count: int = 1) -> str:
        """Read until so many lines match, and return the last of these. At its end the process must have said them."""
        assert self.process.stdout
        while len(found := [line for line in self.lines if re.search(pattern, line)]) < count:
            line = self.process.stdout.readline()
            assert line, "\n".join(self.lines)
            self.lines.append(line.rstrip("\n"))
        return found[-1]

    def pid_of(self, name: str, *, start: int = 1) -> int:
        """Of its so manieth start. Its traps are set by then."""
        return int(self.wait_for(rf"^{name} .* pid \d+$", count=start).split()[-1])


@contextlib.contextmanager
def supervised(*batches: dict[str, str]) -> Iterator[Supervised]:
    command = [sys.executable, "-c", SUPERVISE, json.dumps(batches)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        in_time = threading.Timer(60, process.kill)  # so that a line that never comes fails the test
        in_time.start()
        try:
            yield Supervised(process)
        finally:
            in_time.cancel()
            process.kill()


def is_running(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_child_that_dies_is_started_again_each_time_a_little_later() -> None:
    with supervised({"web": LIVES}) as site:
        os.kill(site.pid_of("web"), signal.SIGKILL)
        assert site.wait_for("killed").endswith("killed by signal 9; starting it again in 1 s")
        os.kill(site.pid_of("web", start=2), signal.SIGKILL)
        assert site.wait_for("killed", count=2).endswith("in 2 s")


@pytest.mark.parametrize(("failures", "seconds"), [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (60, 30)])
def test_pauses_double_up_to_half_a_minute(failures: int, seconds: int) -> None:
    assert pause_seconds(failures) == seconds


def test_lines_bear_the_name_of_their_child() -> None:
    with supervised({"web": "echo one; echo two >&2; exec sleep 600"}) as site:
        site.wait_for("two")
        assert [line for line in site.lines if line.startswith("web")] == ["web      | one", "web      | two"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_all_in_reverse_order(number: signal.Signals) -> None:
    with supervised({"postgres": SAYS_BYE}, {"web": SAYS_BYE}) as site:
        site.pid_of("postgres")
        site.pid_of("web")
        site.process.send_signal(number)
        site.wait_for("stopped$")
        assert [line.split()[0] for line in site.lines if line.endswith("bye")] == ["web", "postgres"]
        assert site.process.wait(5) == 0


def test_a_second_signal_ends_the_patience_with_a_stubborn_child() -> None:
    with supervised({"web": STUBBORN}) as site:
        pid = site.pid_of("web")
        began = time.monotonic()
        site.process.send_signal(signal.SIGINT)
        site.wait_for("stopping$")
        site.process.send_signal(signal.SIGINT)
        site.wait_for("does not stop; killing it")
        assert site.process.wait(5) == 0
        assert time.monotonic() - began < STOP_SECONDS
        assert not is_running(pid)


@pytest.mark.skipif(not shutil.which("setpriv"), reason="no setpriv")
def test_children_of_a_killed_supervisor_end_too() -> None:
    with supervised({"web": LIVES, "runner": SAYS_BYE}) as site:
        pids = [site.pid_of("web"), site.pid_of("runner")]
        site.process.kill()
        deadline = time.monotonic() + 10
        while any(map(is_running, pids)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not any(map(is_running, pids))
