"""Which Python versions this machine can give to a model: interpreters that are installed, nothing is downloaded."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

MINORS = ("3.10", "3.11", "3.12", "3.13")
_ASK = (
    "import json, sys; print(json.dumps(['%d.%d' % sys.version_info[:2], "
    "getattr(sys, '_base_executable', None) or sys.executable, sys.implementation.name]))"
)


@lru_cache
def available() -> dict[str, Path]:
    """`3.11` → its interpreter, ordered. The first found of each: our own, then by PATH, then those of pyenv and uv."""
    found: dict[str, Path] = {}
    for candidate in _candidates():
        if answer := _ask(candidate):
            found.setdefault(*answer)
    return {minor: found[minor] for minor in MINORS if minor in found}


def find(version: str) -> Path | None:
    """The interpreter for `3.12` or `3.12.4` (any patch release of 3.12 will do)."""
    return available().get(".".join(version.split(".")[:2]))


def _candidates() -> Iterator[Path]:
    yield Path(sys.executable)
    for folder in os.get_exec_path():
        for minor in MINORS:
            yield Path(folder) / f"python{minor}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or Path.home() / ".local/share/uv/python")
    for minor in MINORS:
        yield from _newest_first(pyenv, f"versions/{minor}.*/bin/python{minor}")
        yield from _newest_first(uv, f"cpython-{minor}.*/bin/python{minor}")


def _newest_first(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern), reverse=True)
    except PermissionError:  # somebody else's
        return []


def _ask(candidate: Path) -> tuple[str, Path] | None:
    # A file of the right name may be a launcher of something else, or broken: only its own answer counts.
    try:
        if not candidate.exists():
            return None
        done = subprocess.run([candidate, "-I", "-c", _ASK], capture_output=True, timeout=10, check=True)
        minor, executable, implementation = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return (minor, Path(executable)) if implementation == "cpython" and minor in MINORS else None
