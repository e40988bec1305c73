"""Run one program of a build: bounded in time, its output line by line into the log, nothing of it left behind."""

import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from runner.build_errors import BuildFailed

_KEPT_LINES = 200
# Of the worker's environment a program gets only this: never the platform's secrets.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy",
              "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended. output: its last lines, both streams."""

    code: int
    output: list[str]


class StepLog(Protocol):
    """What a build's steps write to. `interrupt` is called when the build must stop at once."""

    interrupt: Callable[[], None]

    def line(self, text: str) -> None: ...

    def step(self, title: str) -> AbstractContextManager[None]: ...


class NoLog:
    """Says nothing; where it stands for another log, it is interrupted with that."""

    def __init__(self, instead_of: StepLog | None = None) -> None:
        self._instead_of = instead_of
        self._interrupt: Callable[[], None] = lambda: None

    @property
    def interrupt(self) -> Callable[[], None]:
        return self._interrupt

    @interrupt.setter
    def interrupt(self, call: Callable[[], None]) -> None:
        self._interrupt = call
        if self._instead_of:
            self._instead_of.interrupt = call

    def line(self, text: str) -> None:
        """Nothing."""

    def step(self, title: str) -> AbstractContextManager[None]:
        """Nothing."""
        return nullcontext()


def run(
    command: Sequence[str],
    log: StepLog,
    *,
    timeout_seconds: float,
    cwd: Path,
    what: str,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
) -> Ended:
    """Run and wait. what: the step in words, for BuildFailed's message when it takes too long. Raises ClaimLost."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={name: os.environ[name] for name in _PASSED_ON if name in os.environ} | dict(env or {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    is_late = threading.Event()

    def stop_late() -> None:
        is_late.set()
        _kill(process.pid)

    timer = threading.Timer(timeout_seconds, stop_late)
    timer.daemon = True
    timer.start()
    log.interrupt = lambda: _kill(process.pid)
    try:
        output = _pump(process, stdin, log)
        code = process.wait()
    finally:
        timer.cancel()
        log.interrupt = lambda: None
        _kill(process.pid)
        process.wait()
    if is_late.is_set():
        raise BuildFailed(f"{what} took longer than {timeout_seconds:.0f} seconds and was stopped.")
    return Ended(code, output)


def _pump(process: "subprocess.Popen[bytes]", stdin: str, log: StepLog) -> list[str]:
    assert process.stdin and process.stdout
    with suppress(BrokenPipeError):
        process.stdin.write(stdin.encode())
        process.stdin.close()
    kept: deque[str] = deque(maxlen=_KEPT_LINES)
    with process.stdout as stream:
        while raw := stream.readline(65536):  # bounded: a program may write without ever ending its line
            text = raw.decode("utf-8", "replace").rstrip("\r\n")
            kept.append(text)
            log.line(text)
    return list(kept)


def _kill(session: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(session, signal.SIGKILL)
