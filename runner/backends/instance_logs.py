"""An instance's log file: coglet's JSON lines, and plain ones of what dies before coglet speaks.

The file is written by the instance itself, so that it goes on when the runner dies; the runner keeps its size in
bounds.  Source: cog-runtime.md 4.3, 4.10.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import orjson

SETUP_TARGETS = frozenset({"coglet::setup", "coglet::user"})


def plain(log: str, *, targets: Iterable[str] | None = None) -> str:
    """Readable text from a raw log, one line per entry. targets: only entries of these; None is all.

    Lines that are no JSON (tracebacks of the server itself) are kept as they are unless targets are asked for.
    """
    wanted = None if targets is None else frozenset(targets)
    lines = []
    for line in log.splitlines():
        target, message = _parse(line)
        if wanted is None or target in wanted:
            lines.append(message)
    return "\n".join(lines) + ("\n" if lines else "")


def setup_text(log: str) -> str:
    """What the model wrote during setup, and what its child processes ever wrote.  Source: cog-runtime.md 4.3."""
    return plain(log, targets=SETUP_TARGETS)


def read_tail(path: Path, tail_bytes: int) -> str:
    """The file's end in whole lines; "" if there is none."""
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - tail_bytes)
            file.seek(start)
            content = file.read()
    except FileNotFoundError:
        return ""
    if start:
        content = content.partition(b"\n")[2]
    return content.decode(errors="replace")


def trim(path: Path, cap_bytes: int) -> bool:
    """Cut a file above the cap to its last half. Its writers append, so they go on after what is left.

    A line written between reading and cutting is lost: the price of having no process in between.
    """
    try:
        if path.stat().st_size <= cap_bytes:
            return False
    except FileNotFoundError:
        return False
    tail = read_tail(path, cap_bytes // 2).encode()
    os.truncate(path, 0)
    with path.open("ab") as file:
        file.write(tail)
    return True


def _parse(line: str) -> tuple[str, str]:
    try:
        entry = orjson.loads(line)
        fields = entry["fields"]
        # coglet's own reports keep the reason in a member of its own.
        reason = f": {fields['error']}" if fields.get("error") else ""
        return str(entry["target"]), f"{fields['message']}{reason}"
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return "", line
