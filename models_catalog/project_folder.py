"""A model's project folder: which of its files count, its content digest, and how it is packed.

Owns the one answer to "what belongs to a project": `project_files` (what goes into a build or a package),
`digest` (same content, same 64 hex characters, however it travelled) and `pack` (the archive that
`manage.py publish FOLDER` uploads).  `models_catalog.archives` is the way back: archive to folder.
"""

import gzip
import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

IGNORED_NAMES = frozenset({"__MACOSX", ".git", ".cog", "__pycache__", ".DS_Store"})

_COMPRESSION_LEVEL = 6


class ArchiveRefused(ValueError):
    """An archive or folder that is not accepted; `message` says why in words for its owner."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def digest(folder: Path) -> str:
    """Content digest of a project, 64 hex characters.

    SHA-256 over one line per file, ordered by the bytes of its path: `<path> NUL <x or -> NUL <sha256 of content> LF`.
    Path: relative, with `/`, UTF-8.  `x`: the owner may execute it.  Times, owners, other mode bits and empty folders
    do not count, nor do the names in IGNORED_NAMES: a zip and a tar.gz of one folder have one digest.
    Raises ArchiveRefused for links and other special files.
    """
    total = hashlib.sha256()
    for name in _all_files(folder):
        path = folder / name
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        executable = "x" if _is_executable(path) else "-"
        total.update(f"{name}\0{executable}\0{content}\n".encode())
    return total.hexdigest()


def project_files(folder: Path) -> list[str]:
    """Paths (relative, `/`) of the files that belong to the project, ordered by their bytes.

    Leaves out IGNORED_NAMES, virtual environments and what `.dockerignore` names; never leaves out `cog.yaml`.
    Raises ArchiveRefused for links and other special files.  Source: cog-runtime.md 5.1, 8 (item 11).
    """
    rules = _read_ignore_rules(folder / ".dockerignore")
    return [name for name in _all_files(folder, skip_venvs=True) if name == "cog.yaml" or not _is_ignored(name, rules)]


def pack(folder: Path) -> bytes:
    """The project as tar.gz; the same content gives the same bytes, whenever and by whomever it is packed."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=_COMPRESSION_LEVEL, mtime=0, filename="") as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in project_files(folder):
            path = folder / name
            entry = tarfile.TarInfo(name)  # a new one: no times, owners or odd modes of this machine
            entry.mode = 0o755 if _is_executable(path) else 0o644
            entry.size = path.stat().st_size
            with path.open("rb") as file:
                tar.addfile(entry, file)
    return packed.getvalue()


def _all_files(folder: Path, *, skip_venvs: bool = False) -> list[str]:
    return sorted(_walk(folder, "", skip_venvs=skip_venvs), key=os.fsencode)


def _walk(folder: Path, prefix: str, *, skip_venvs: bool) -> Iterator[str]:
    for entry in os.scandir(folder):
        name = prefix + entry.name
        if entry.name in IGNORED_NAMES:
            continue
        if entry.is_dir(follow_symlinks=False):
            if not (skip_venvs and os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))):
                yield from _walk(Path(entry.path), name + "/", skip_venvs=skip_venvs)
        elif entry.is_file(follow_symlinks=False):
            yield name
        elif not _belongs_to_venv(skip_venvs, entry):
            raise ArchiveRefused(f"{name} is a link or a special file; a project holds plain files and folders only.")


def _belongs_to_venv(skip_venvs: bool, entry: os.DirEntry[str]) -> bool:
    # Some tools make a virtual environment as a link to one that is kept elsewhere.
    return skip_venvs and entry.is_symlink() and os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))


def _is_executable(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o100)


@dataclass(frozen=True)
class _IgnoreRule:
    pattern: re.Pattern[str]
    keeps: bool  # the line began with "!"


def _read_ignore_rules(file: Path) -> list[_IgnoreRule]:
    """The `.dockerignore` subset: comments, `!`, `*`, `?`, `[…]`, `**`; the last line that matches decides."""
    if not file.is_file():
        return []
    rules = []
    for line in map(str.strip, file.read_text("utf-8-sig", errors="replace").splitlines()):
        if not line or line.startswith("#"):
            continue
        keeps = line.startswith("!")
        pattern = line.removeprefix("!").strip().removeprefix("./").strip("/")
        if pattern:
            rules.append(_IgnoreRule(re.compile(_as_regex(pattern)), keeps))
    return rules


def _is_ignored(name: str, rules: list[_IgnoreRule]) -> bool:
    # A rule that names a folder covers all below it: the pattern may end at any "/".
    ignored = False
    for rule in rules:
        if rule.pattern.match(name):
            ignored = not rule.keeps
    return ignored


def _as_regex(pattern: str) -> str:
    pieces = []
    at = 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            pieces.append("(?:[^/]+/)*")
            at += 3
        elif pattern.startswith("**", at):
            pieces.append(".*")
            at += 2
        elif pattern[at] == "[" and "]" in pattern[at + 2 :]:
            end = pattern.index("]", at + 2)
            inside = re.sub(r"([\\\[&~|])", r"\\\1", pattern[at + 1 : end])
            pieces.append(f"[{inside}]")
            at = end + 1
        else:
            pieces.append({"*": "[^/]*", "?": "[^/]"}.get(pattern[at], re.escape(pattern[at])))
            at += 1
    return "".join(pieces) + r"(?:/|\Z)"
