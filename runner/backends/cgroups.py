"""Memory and process limits by control groups, version 1 or 2, where we may make groups (as a rule: as root).

Best effort: where it doesn't work, `create` gives None and the instance runs without such limits.
Source: docker-lab.md 7.2.
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PARENT = "modelyard"


@dataclass(frozen=True, slots=True)
class Group:
    """One instance's groups. folders: one per controller in version 1, a single one in version 2."""

    folders: tuple[Path, ...]

    @property
    def entrances(self) -> list[str]:
        """Files to which a process writes its pid to enter."""
        return [str(folder / "cgroup.procs") for folder in self.folders]

    def pids(self) -> set[int]:
        """Who is in it, children included."""
        found: set[int] = set()
        for folder in self.folders:
            with suppress(OSError):
                found |= {int(line) for line in (folder / "cgroup.procs").read_text().split()}
        return found

    def oom_kills(self) -> int | None:
        """How often the kernel killed one of its processes for want of memory."""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                with suppress(OSError):
                    counts = dict(line.split() for line in (folder / name).read_text().splitlines())
                    return int(counts.get("oom_kill", 0))
        return None

    def remove(self) -> None:
        """Once empty; the kernel needs a moment after the last process."""
        for folder in self.folders:
            for _ in range(20):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.01)
                else:
                    break


def create(name: str, *, memory_bytes: int | None, processes_max: int | None) -> Group | None:
    """Groups with these limits (None: unlimited); None if nothing is to be limited or nothing can be."""
    limits = {
        controller: value
        for controller, value in (("memory", memory_bytes), ("pids", processes_max))
        if value is not None
    }
    folders = []
    for folder, files in _plan(name, limits):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for file, content in files.items():
                (folder / file).write_text(content)
        except OSError:
            Group((folder,)).remove()
            continue
        folders.append(folder)
    return Group(tuple(folders)) if folders else None


def find(name: str) -> Group | None:
    """The groups that `create` made under this name, also by an earlier runner."""
    candidates = (
        ROOT / PARENT / name,
        ROOT / "memory" / PARENT / name,
        ROOT / "pids" / PARENT / name,
    )
    folders = tuple(folder for folder in candidates if folder.is_dir())
    return Group(folders) if folders else None


def _plan(name: str, limits: dict[str, int]) -> list[tuple[Path, dict[str, str]]]:
    if not limits:
        return []
    if (ROOT / "cgroup.controllers").exists():
        _delegate(limits)
        files = {f"{controller}.max": str(value) for controller, value in limits.items()}
        return [(ROOT / PARENT / name, files)]
    names = {"memory": "memory.limit_in_bytes", "pids": "pids.max"}
    return [
        (ROOT / controller / PARENT / name, {names[controller]: str(value)})
        for controller, value in limits.items()
        if (ROOT / controller / "cgroup.procs").exists()
    ]


def _delegate(limits: dict[str, int]) -> None:
    with suppress(OSError):
        (ROOT / PARENT).mkdir(exist_ok=True)
        for folder in (ROOT, ROOT / PARENT):
            for controller in limits:
                (folder / "cgroup.subtree_control").write_text(f"+{controller}")
