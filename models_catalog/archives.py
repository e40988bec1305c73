"""Uploaded archives: from bytes that a stranger made to a project folder that is safe to read.

`unpack` recognizes zip and tar.gz by content, judges each entry by its own rules below and writes plain files and
folders itself: nothing of an archive is ever handed to a library's "extract".  Sizes are counted while
decompressing, never believed from headers.  Whatever is refused leaves nothing behind.
"""

import gzip
import io
import re
import shutil
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import IO, Protocol, Self

from models_catalog.project_folder import IGNORED_NAMES, ArchiveRefused, digest, pack

__all__ = ["ArchiveLimits", "ArchiveRefused", "Unpacked", "digest", "pack", "unpack"]

DAMAGED = "The archive is damaged or incomplete; pack and upload it again."

_MB = 1_000_000
_CHUNK_BYTES = 1 << 18
_ZIP_DIRECTORY_BYTES = 16 * _MB  # room for 10,000 entries with long names and extra fields
_TAR_HEADER_BYTES = 1 * _MB  # a long name or its extended headers; real ones are below 10 kB
# What the standard library's readers are known to raise for damaged or hostile bytes
# (a chain of extended headers recurses).
_READER_ERRORS = (
    tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, struct.error, EOFError, NotImplementedError,
    RecursionError, ValueError, LookupError, OverflowError,
)  # fmt: skip


@dataclass(frozen=True)
class ArchiveLimits:
    """What an upload may be at most.  `ratio`: unpacked to compressed size, looked at beyond `ratio_free_bytes`."""

    compressed_bytes: int = 200 * _MB
    unpacked_bytes: int = 1000 * _MB
    entries: int = 10_000
    ratio: int = 100
    ratio_free_bytes: int = 10 * _MB
    path_length: int = 255
    path_depth: int = 32


@dataclass(frozen=True)
class Unpacked:
    """What `unpack` wrote: the files' paths in the folder, ordered, and their size together."""

    files: tuple[str, ...]
    size_bytes: int


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True)
class _Entry:
    path: str
    kind: str  # "file", "folder", or in words what else it is
    executable: bool
    content: _Readable | None


def unpack(archive: IO[bytes], folder: Path, limits: ArchiveLimits = ArchiveLimits()) -> Unpacked:
    """Write the archive's files into `folder`, which must not exist or be empty.

    archive: seekable, a zip or tar.gz (told apart by content).  If everything lies in one top-level folder that has a
    `cog.yaml`, that folder is left out.  IGNORED_NAMES are skipped.  Files get mode 644 or, if executable, 755.
    Raises ArchiveRefused with the reason; `folder` is then removed.  Source: design.md, Trust.
    """
    compressed_bytes = archive.seek(0, io.SEEK_END)
    if compressed_bytes > limits.compressed_bytes:
        raise ArchiveRefused(f"The archive is larger than {_in_words(limits.compressed_bytes)}.")
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    meter = _Meter(compressed_bytes, limits)
    try:
        with _reader_errors_as_refusal():
            tree = _Tree(folder, limits)
            for entry in _entries(archive, meter):
                tree.add(entry)
        if not any(path.is_file() for path in folder.rglob("*")):
            raise ArchiveRefused("The archive holds no files.")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _strip_top_folder(folder)
    files = tuple(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()))
    return Unpacked(files, size_bytes=sum((folder / name).stat().st_size for name in files))


@contextmanager
def _reader_errors_as_refusal() -> Iterator[None]:
    try:
        yield
    except ArchiveRefused:
        raise
    except _READER_ERRORS as error:
        raise ArchiveRefused(DAMAGED) from error


def _entries(archive: IO[bytes], meter: "_Meter") -> Iterator[_Entry]:
    archive.seek(0)
    magic = archive.read(4)
    archive.seek(0)
    if magic in (b"PK\x03\x04", b"PK\x05\x06"):
        return _zip_entries(archive, meter)
    if magic[:2] == b"\x1f\x8b":
        return _tar_entries(archive, meter)
    raise ArchiveRefused("The file is neither a zip nor a tar.gz archive.")


class _Meter:
    """Counts decompressed bytes and entries, and stops both in time."""

    def __init__(self, compressed_bytes: int, limits: ArchiveLimits) -> None:
        self._limits = limits
        self._entries = 0
        self._bytes = 0
        self._most_by_ratio = max(limits.ratio_free_bytes, limits.ratio * compressed_bytes)

    def count_entry(self) -> None:
        self._entries += 1
        if self._entries > self._limits.entries:
            raise ArchiveRefused(f"The archive has more than {self._limits.entries:,} entries.")

    def count_bytes(self, number: int) -> None:
        self._bytes += number
        if self._bytes > self._limits.unpacked_bytes:
            raise ArchiveRefused(f"The archive unpacks to more than {_in_words(self._limits.unpacked_bytes)}.")
        if self._bytes > self._most_by_ratio:
            raise ArchiveRefused(f"The archive unpacks to more than {self._limits.ratio} times its own size.")


class _Metered(io.RawIOBase):
    """A stream of decompressed bytes, counted as they come."""

    def __init__(self, inner: _Readable, meter: _Meter) -> None:
        self._inner = inner
        self._meter = meter

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        data = self._inner.read(_CHUNK_BYTES if size < 0 else min(size, _CHUNK_BYTES))
        self._meter.count_bytes(len(data))
        return data


# --- zip -------------------------------------------------------------------------------------------------------


class _ZipSource(io.RawIOBase):
    """The upload as zipfile sees it: while it opens, it may read only so much, since it reads its whole directory."""

    def __init__(self, archive: IO[bytes]) -> None:
        self._archive = archive
        self.budget_bytes: int | None = _ZIP_DIRECTORY_BYTES

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._archive.seek(offset, whence)

    def tell(self) -> int:
        return self._archive.tell()

    def read(self, size: int = -1, /) -> bytes:
        if self.budget_bytes is not None:
            data = self._archive.read(self.budget_bytes + 1 if size < 0 else min(size, self.budget_bytes + 1))
            self.budget_bytes -= len(data)
            if self.budget_bytes < 0:
                raise ArchiveRefused("The archive's table of contents is too large.")
            return data
        return self._archive.read(size)


def _zip_entries(archive: IO[bytes], meter: _Meter) -> Iterator[_Entry]:
    source = _ZipSource(archive)
    try:
        opened = zipfile.ZipFile(source)
    except UnicodeDecodeError as error:
        raise ArchiveRefused("The archive has a file name that is not UTF-8.") from error
    source.budget_bytes = None
    with opened:
        for info in opened.infolist():
            meter.count_entry()
            yield from _zip_entry(opened, info, meter)


def _zip_entry(opened: zipfile.ZipFile, info: zipfile.ZipInfo, meter: _Meter) -> Iterator[_Entry]:
    name = _zip_name(info)
    mode = info.external_attr >> 16
    if name.endswith("/") and stat.S_IFMT(mode) in (0, stat.S_IFDIR):
        yield _Entry(name, "folder", executable=False, content=None)
        return
    if info.flag_bits & 0x41:
        raise ArchiveRefused(f"{name} is encrypted; pack the project without a password.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveRefused(f"{name} uses compression method {info.compress_type}; only deflate is supported.")
    kind = _special_kind(stat.S_IFMT(mode))
    if kind is not None:
        yield _Entry(name, kind, executable=False, content=None)
        return
    with opened.open(info) as content:
        yield _Entry(name, "file", executable=bool(mode & 0o100), content=_Metered(content, meter))


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The name as it was packed; zipfile reads unmarked names as cp437, many tools write them as UTF-8."""
    if info.flag_bits & 0x800:
        return info.orig_filename
    try:
        return info.orig_filename.encode("cp437").decode("utf-8")
    except UnicodeError as error:
        raise ArchiveRefused(f"The file name {info.orig_filename!r} is not UTF-8.") from error


def _special_kind(file_type: int) -> str | None:
    if file_type in (0, stat.S_IFREG):
        return None
    return "symbolic link" if file_type == stat.S_IFLNK else "special file"


# --- tar.gz ----------------------------------------------------------------------------------------------------


class _StrictHeader(tarfile.TarInfo):
    """tarfile takes a damaged header in mid-archive for the end, and reads extended headers of any size at once."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str | None, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)  # type: ignore[arg-type]  # None is never given by tarfile
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise  # a block of zeros: the proper end
            raise ArchiveRefused(DAMAGED) from error

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:
        if self.size < 0 or (not self.isreg() and self.size > _TAR_HEADER_BYTES):
            raise ArchiveRefused(DAMAGED)
        return super()._proc_member(tar)  # type: ignore[misc,no-any-return]  # the documented hook for subclasses


def _tar_entries(archive: IO[bytes], meter: _Meter) -> Iterator[_Entry]:
    with gzip.GzipFile(fileobj=archive, mode="rb") as unzipped:
        stream = _Metered(unzipped, meter)
        with tarfile.open(
            fileobj=stream, mode="r|", tarinfo=_StrictHeader, encoding="utf-8", errors="surrogateescape"
        ) as tar:
            for member in tar:
                meter.count_entry()
                yield _tar_entry(tar, member)
        while stream.read(_CHUNK_BYTES):
            pass  # to the end: only there gzip tells whether all arrived whole


def _tar_entry(tar: tarfile.TarFile, member: tarfile.TarInfo) -> _Entry:
    name = member.name
    if not _is_utf8(name):
        raise ArchiveRefused(f"The file name {name!r} is not UTF-8.")
    if member.isdir():
        return _Entry(name, "folder", executable=False, content=None)
    if member.issym():
        return _Entry(name, "symbolic link", executable=False, content=None)
    if member.islnk():
        return _Entry(name, "hard link", executable=False, content=None)
    if not member.isreg() or member.issparse():
        return _Entry(name, "special file", executable=False, content=None)
    return _Entry(name, "file", executable=bool(member.mode & 0o100), content=tar.extractfile(member))


def _is_utf8(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


# --- writing ---------------------------------------------------------------------------------------------------


class _Tree:
    """The folder being written: knows all its paths, so that no entry meets or replaces another one."""

    def __init__(self, folder: Path, limits: ArchiveLimits) -> None:
        self._folder = folder
        self._limits = limits
        self._known: dict[str, tuple[str, str]] = {}  # folded path -> (path as first spelled, kind)

    def add(self, entry: _Entry) -> None:
        parts = _safe_parts(entry.path, self._limits)
        if not parts or not IGNORED_NAMES.isdisjoint(parts):
            return
        if entry.kind not in ("file", "folder"):
            raise ArchiveRefused(f"{entry.path} is a {entry.kind}; only plain files and folders are accepted.")
        for depth in range(1, len(parts)):
            self._claim("/".join(parts[:depth]), "folder")
        path = "/".join(parts)
        self._claim(path, entry.kind)
        target = self._folder.joinpath(*parts)
        if entry.content is None:
            target.mkdir(mode=0o755, parents=True, exist_ok=True)
            return
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with target.open("xb") as file:
            shutil.copyfileobj(entry.content, file, _CHUNK_BYTES)
        target.chmod(0o755 if entry.executable else 0o644)

    def _claim(self, path: str, kind: str) -> None:
        # Folded, because the same project must unpack on file systems that ignore case or compose accents.
        folded = unicodedata.normalize("NFC", path).casefold()
        known_path, known_kind = self._known.setdefault(folded, (path, ""))
        if known_kind == "":
            self._known[folded] = (path, kind)
        elif known_kind != kind:
            raise ArchiveRefused(f"{path} is a file and a folder in the same archive.")
        elif known_path != path:
            raise ArchiveRefused(f"{known_path} and {path} differ only in capital letters or accents.")
        elif kind == "file":
            raise ArchiveRefused(f"{path} is in the archive twice.")


def _safe_parts(path: str, limits: ArchiveLimits) -> list[str]:
    """The path's parts without `.`; raises ArchiveRefused if it could leave the folder or not be written."""
    shown = path if len(path) <= 80 else path[:77] + "..."
    if re.search(r"[\x00-\x1f\x7f]", path):
        raise ArchiveRefused(f"The file name {shown!r} has control characters.")
    if path.startswith("/"):
        raise ArchiveRefused(f"{shown} is an absolute path; paths must be relative.")
    if re.match(r"[A-Za-z]:", path):
        raise ArchiveRefused(f"{shown} begins with a drive letter; paths must be relative.")
    if "\\" in path:
        raise ArchiveRefused(f"{shown} has a backslash; separate folders by '/'.")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ArchiveRefused(f"{shown} has '..' in it; paths must stay inside the project.")
    if len("/".join(parts).encode()) > limits.path_length:
        raise ArchiveRefused(f"The path {shown} is longer than {limits.path_length} bytes.")
    if len(parts) > limits.path_depth:
        raise ArchiveRefused(f"The path {shown} is more than {limits.path_depth} folders deep.")
    return parts


def _strip_top_folder(folder: Path) -> None:
    top = list(folder.iterdir())
    if len(top) != 1 or not (top[0] / "cog.yaml").is_file():
        return
    # Renamed first: it may itself contain something of its own name.
    aside = top[0].rename(folder / f".unpacking-{token_hex(8)}")
    for child in aside.iterdir():
        child.rename(folder / child.name)
    aside.rmdir()


def _in_words(size_bytes: int) -> str:
    return f"{size_bytes / 1000 / _MB:g} GB" if size_bytes >= 1000 * _MB else f"{size_bytes / _MB:g} MB"
