"""Run child processes as one: started in order, restarted when they die, stopped in reverse order.

Own, because honcho's manager (the usual choice) ends everything when one child ends and has no restart. One thread
starts all children (they are told of the death of that very thread), waits for signals, and keeps watch; a small thread
per child passes its lines on. Knows nothing of Django or of what the children do.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import IO, Self

from marketplace.children import Child, Program

HEALTHY_SECONDS = 60.0  # a child that lived that long starts again without waiting
LONGEST_PAUSE_SECONDS = 30.0
STOP_SECONDS = 7.0  # for all that was started last and before; each batch gets LEAST_STOP_SECONDS in any case
LEAST_STOP_SECONDS = 3.0
_TICK_SECONDS = 0.05
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopAsked(Exception):
    """A signal asked the supervisor to stop."""


class NotReady(RuntimeError):
    """A child did not become ready."""


@dataclass
class _Running:
    child: Child
    batch: int
    once: Callable[[int], None] | None = None  # a step: its return code goes there, and it is not restarted
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    due_at: float = 0.0
    failures: int = 0
    reader: threading.Thread | None = field(default=None, repr=False)


def pause_seconds(failures: int) -> float:
    """How long to wait before a start after so many failed ones: 1, 2, 4 … 30 s."""
    return float(min(2 ** (failures - 1), LONGEST_PAUSE_SECONDS))


class Supervisor:
    """Use as a context manager, in the main thread: leaving the block, however, stops all children."""

    def __init__(self, output: IO[bytes] | None = None) -> None:
        self._output = output or sys.stdout.buffer
        self._lock = threading.Lock()  # of the output
        self._running: list[_Running] = []
        self._batch = 0
        self._signals = 0  # how many asked us to stop
        self._clean_ups: list[tuple[int, Callable[[], object]]] = []
        self._undo = contextlib.ExitStack()

    # --- What the site calls ---

    def __enter__(self) -> Self:
        self._wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        previous = signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        self._undo.callback(os.close, self._wake)
        self._undo.callback(os.close, waker)
        self._undo.callback(signal.set_wakeup_fd, previous)
        self._handle(signal.SIGCHLD, lambda number, frame: None)
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                self._handle(number, self._on_signal)
        return self

    def __exit__(self, *exception: object) -> None:
        with self._undo:
            self._stop_all()

    def say(self, text: str) -> None:
        """A line of the supervisor's own."""
        self._write("serve", text.encode())

    def show(self, text: str) -> None:
        """Lines for people, without a name in front."""
        self._write_raw(text.encode() + b"\n")

    def after_stopping(self, clean_up: Callable[[], object]) -> None:
        """Call it at the stop, between the latest batch and the ones before it. Its RuntimeError or OSError is told."""
        self._clean_ups.append((self._batch, clean_up))

    def begin_batch(self) -> None:
        """What is started from now on is stopped before all that was started until now."""
        self._batch += 1

    def start(self, *children: Child) -> None:
        """Start children that shall live."""
        for child in children:
            running = _Running(child, self._batch)
            self._running.append(running)
            self._spawn(running)

    def wait_until_ready(self, timeout_seconds: float) -> None:
        """Raises NotReady if a child isn't ready in time, or died thrice meanwhile."""
        deadline = time.monotonic() + timeout_seconds
        waiting = [running for running in self._running if running.once is None]
        while waiting := [running for running in waiting if not (running.process and running.child.is_ready())]:
            for running in waiting:
                if time.monotonic() > deadline or running.failures > 2:
                    raise NotReady(f"{running.child.name} did not start; its last lines above say why.")
            self._tick()

    def run_in_background(self, program: Program, on_end: Callable[[int], None]) -> None:
        """Start a step and go on; on_end gets its return code."""
        running = _Running(program, self._batch, once=on_end)
        self._running.append(running)
        self._spawn(running)

    def watch(self) -> None:
        """Keep the children alive until a signal asks to stop. Raises StopAsked."""
        while True:
            self._tick(1.0)

    # --- How ---

    def _handle(self, number: signal.Signals, handler: Callable[[int, FrameType | None], None]) -> None:
        previous = signal.signal(number, handler)
        self._undo.callback(signal.signal, number, previous)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1

    def _tick(self, seconds: float = _TICK_SECONDS) -> None:
        """Wait for news, at most so long; then see to who died and who is due."""
        self._sleep(seconds)
        if self._signals:
            raise StopAsked
        for running in list(self._running):
            if running.process and running.process.poll() is not None:
                self._bury(running)
            elif running.process is None and time.monotonic() >= running.due_at:
                self._restart(running)

    def _sleep(self, seconds: float) -> None:
        if select.select([self._wake], [], [], seconds)[0]:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 512)

    def _spawn(self, running: _Running) -> None:
        command = running.child.command()
        # A session of its own: Ctrl-C in the terminal is for the supervisor, who then stops all in order.
        running.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        running.started_at = time.monotonic()
        running.reader = threading.Thread(
            target=self._pass_on, args=(running.child.name, running.process.stdout), daemon=True
        )
        running.reader.start()

    def _restart(self, running: _Running) -> None:
        try:
            self._spawn(running)
        except (OSError, RuntimeError) as error:
            self._failed(running, f"can't start: {error}")

    def _bury(self, running: _Running) -> None:
        assert running.process
        code = running.process.returncode
        running.process = None
        if running.once is not None:
            self._running.remove(running)
            if running.reader:
                running.reader.join(1.0)
            running.once(code)
            return
        if time.monotonic() - running.started_at >= HEALTHY_SECONDS:
            running.failures = 0
        self._failed(running, f"killed by signal {-code}" if code < 0 else f"ended with code {code}")

    def _failed(self, running: _Running, what: str) -> None:
        running.failures += 1
        pause = pause_seconds(running.failures)
        running.due_at = time.monotonic() + pause
        self.say(f"{running.child.name} {what}; starting it again in {pause:.0f} s")

    def _stop_all(self) -> None:
        alive = [running for running in self._running if running.process]
        if not alive:
            return
        asked, started = self._signals, time.monotonic()
        self.say("stopping")
        for batch in range(self._batch, -1, -1):
            deadline = max(started + STOP_SECONDS, time.monotonic() + LEAST_STOP_SECONDS)
            self._stop([running for running in reversed(alive) if running.batch == batch], deadline, asked)
            self._clean_up(batch)
        for running in alive:
            if running.reader:
                running.reader.join(0.5)
        self.say("stopped")

    def _stop(self, batch: Sequence[_Running], deadline: float, asked: int) -> None:
        """Ask all of a batch, wait, then kill; at once if somebody asks once more."""
        left = [(running, running.process) for running in batch if running.process and running.process.poll() is None]
        for running, process in left:
            process.send_signal(running.child.stop_signal)
        while left and time.monotonic() < deadline and self._signals == asked:
            self._sleep(_TICK_SECONDS)
            left = [pair for pair in left if pair[1].poll() is None]
        for running, process in left:
            self.say(f"{running.child.name} does not stop; killing it")
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _clean_up(self, batch: int) -> None:
        for number, clean_up in self._clean_ups:
            if number == batch:
                try:
                    clean_up()
                except (OSError, RuntimeError) as error:
                    self.say(f"cleaning up failed: {error}")

    def _pass_on(self, name: str, lines: IO[bytes]) -> None:
        with lines:
            for line in lines:
                self._write(name, line)

    def _write(self, name: str, line: bytes) -> None:
        self._write_raw(f"{name:<8} | ".encode() + line.rstrip(b"\n") + b"\n")

    def _write_raw(self, data: bytes) -> None:
        with (
            self._lock,
            contextlib.suppress(OSError, ValueError),
        ):  # nobody reads any more: children must not wait for it
            self._output.write(data)
            self._output.flush()


@contextlib.contextmanager
def supervising(output: IO[bytes] | None = None) -> Iterator[Supervisor]:
    """A supervisor whose block ends quietly when a signal asks to stop."""
    with Supervisor(output) as supervisor, contextlib.suppress(StopAsked):
        yield supervisor
