"""The kernel's process table (/proc): who is ours, and killing nobody else.

An instance's processes are those whose environment carries its nonce, their descendants, and whoever shares the session
of its verified leader.  Signals go through a pidfd that was opened before the last check, so a pid given away to
somebody else in between is never hit.  Source: docker-lab.md 5.
"""

import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

NONCE_VARIABLE = "MODELYARD_NONCE"

_PROC = Path("/proc")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Process:
    """One line of the table. start_ticks: since boot; with the pid it names the process for good."""

    pid: int
    parent: int
    session: int
    start_ticks: int
    is_zombie: bool
    cpu_seconds: float


def find(pid: int) -> Process | None:
    """The process of this pid now, if any."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may hold anything, so count from the last one.
    values = stat[stat.rindex(")") + 2 :].split()
    cpu = (int(values[11]) + int(values[12])) / _TICKS_PER_SECOND
    return Process(pid, int(values[1]), int(values[3]), int(values[19]), values[0] in "ZX", cpu)


def is_running(pid: int, start_ticks: int) -> bool:
    """That very process, not another that got its pid, and not a dead one that nobody has collected."""
    process = find(pid)
    return process is not None and process.start_ticks == start_ticks and not process.is_zombie


def carries(pid: int, nonce: str) -> bool:
    """It was started with this nonce in its environment. False also where we may not look."""
    try:
        environment = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False
    return f"{NONCE_VARIABLE}={nonce}".encode() in environment.split(b"\0")


def command_line(pid: int) -> list[str]:
    """Empty for one that is gone."""
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return []


def list_all() -> list[Process]:
    """Every process that is not a zombie."""
    found = (find(int(entry)) for entry in os.listdir(_PROC) if entry.isdigit())
    return [process for process in found if process and not process.is_zombie]


def list_of(nonce: str, *, also: Iterable[int] = ()) -> list[Process]:
    """All processes of an instance. also: pids known to be its own from elsewhere (its control group)."""
    table = list_all()
    known = set(also)
    ours = {process.pid for process in table if process.pid in known or carries(process.pid, nonce)}
    sessions = ours & {process.session for process in table}  # led by a process that is surely ours
    ours |= {process.pid for process in table if process.session in sessions}
    while more := {process.pid for process in table if process.parent in ours} - ours:
        ours |= more
    return [process for process in table if process.pid in ours]


def send(process: Process, number: signal.Signals) -> bool:
    """Signal exactly this process; False if it is gone."""
    try:
        pidfd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if not is_running(process.pid, process.start_ticks):
            return False
        signal.pidfd_send_signal(pidfd, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)


def rss_bytes(pid: int) -> int:
    """Memory in use, 0 for one that is gone."""
    try:
        return int((_PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def listens_on(pid: int, port: int) -> bool:
    """This process itself holds the listening TCP (v4) socket of that port: no other one that was quicker."""
    wanted = f"{port:04X}"
    inodes = set()
    for line in (_PROC / "net" / "tcp").read_text().splitlines()[1:]:
        values = line.split()
        if values[3] == "0A" and values[1].endswith(f":{wanted}"):
            inodes.add(f"socket:[{values[9]}]")
    return bool(inodes) and any(target in inodes for target in _open_files(pid))


def _open_files(pid: int) -> list[str]:
    folder, targets = _PROC / str(pid) / "fd", []
    try:
        for entry in os.listdir(folder):
            targets.append(os.readlink(folder / entry))  # noqa: PERF401 - what was read before an error counts
    except OSError:
        pass  # gone, or a file just closed: the caller looks again
    return targets
