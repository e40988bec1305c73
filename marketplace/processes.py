"""What the operating system knows of our processes: who works in a folder, who holds a lock, who dies with whom.

Linux tells all of it (`/proc`, `setpriv --pdeathsig`); elsewhere the answer is "nobody", and all else still works.
"""

import contextlib
import fcntl
import functools
import os
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

_PROC = Path("/proc")
_POLL_SECONDS = 0.02


class Held(RuntimeError):
    """Another living process holds the lock; `pid` is what it wrote there."""

    def __init__(self, path: Path, pid: str) -> None:
        super().__init__(f"{path} is held by process {pid or 'unknown'}")
        self.path, self.pid = path, pid


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the lock file as long as the block runs. The system frees it when its holder dies. Raises Held at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+") as file:
        _acquire(path, file)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _acquire(path: Path, file: IO[str]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise Held(path, file.read().strip()) from None


@functools.cache
def _setpriv() -> str | None:
    return shutil.which("setpriv") if _PROC.joinpath("self/cwd").exists() else None


def dying_with_parent(argv: Sequence[str], number: signal.Signals = signal.SIGTERM) -> list[str]:
    """argv so that the process gets the signal when the thread that started it ends, however it ends.

    By setpriv and not by preexec_fn, which is unsafe in a process with threads. A change of user clears the wish: put
    this inside.
    """
    setpriv = _setpriv()
    return [setpriv, "--pdeathsig", number.name.removeprefix("SIG"), "--", *argv] if setpriv else list(argv)


def working_in(folder: Path, program: str) -> list[int]:
    """Processes of the program's name whose working directory is the folder."""
    real = os.path.realpath(folder)
    return [int(entry.name) for entry in _PROC.glob("[0-9]*") if _works_in(entry, real, program)]


def _works_in(entry: Path, folder: str, program: str) -> bool:
    try:
        return os.readlink(entry / "cwd") == folder and (entry / "comm").read_text().strip() == program[:15]
    except OSError:  # it ended meanwhile, or is somebody else's
        return False


def end_working_in(folder: Path, program: str, number: signal.Signals, *, patience_seconds: float) -> None:
    """Ask them to end by the signal, kill what is left after patience_seconds, and return when none is left."""
    deadline = time.monotonic() + patience_seconds
    asked: set[int] = set()
    while pids := working_in(folder, program):
        late = time.monotonic() > deadline
        for pid in pids:
            if late or pid not in asked:
                asked.add(pid)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL if late else number)
        time.sleep(_POLL_SECONDS)
