"""Archives: what is refused and why, what comes out, and that content alone makes the digest."""

import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models_catalog.archives import ArchiveLimits, ArchiveRefused, digest, pack, unpack
from models_catalog.project_folder import project_files

Files = dict[str, bytes]
PROJECT: Files = {"cog.yaml": b"run: run.py:run\n", "run.py": b"def run() -> str: ...\n", "data/words.txt": b"one two"}


def tar_of(files: Files, *, mtime: int = 0, mode: int = 0o644) -> bytes:
    return tar_with(*[(member(name, size=len(data), mtime=mtime, mode=mode), data) for name, data in files.items()])


def tar_with(*members: tuple[tarfile.TarInfo, bytes], encoding: str = "utf-8") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", encoding=encoding, format=tarfile.GNU_FORMAT) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return packed.getvalue()


def member(name: str, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def zip_of(files: Files, *, date: tuple[int, int, int, int, int, int] = (1980, 1, 1, 0, 0, 0), mode: int = 0) -> bytes:
    return zip_with(*[(zip_member(name, mode, date), data) for name, data in files.items()])


def zip_with(*members: tuple[zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for info, data in members:
            info.compress_type = method
            archive.writestr(info, data)
    return packed.getvalue()


def zip_member(name: str, mode: int = 0, date: tuple[int, ...] = (1980, 1, 1, 0, 0, 0)) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date)  # type: ignore[arg-type]
    info.external_attr = mode << 16
    return info


def unpacked(data: bytes, folder: Path, limits: ArchiveLimits | None = None) -> Files:
    unpack(io.BytesIO(data), folder, limits or ArchiveLimits())
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refusal(data: bytes, folder: Path, limits: ArchiveLimits | None = None) -> str:
    with pytest.raises(ArchiveRefused) as refused:
        unpacked(data, folder, limits)
    assert not folder.exists(), "a refused archive leaves nothing behind"
    return refused.value.message


both_kinds = pytest.mark.parametrize("packed", [tar_of, zip_of], ids=["tar.gz", "zip"])
Packer = Callable[[Files], bytes]


@both_kinds
def test_a_project_comes_out_as_it_went_in(packed: Packer, tmp_path: Path) -> None:
    assert unpacked(packed(PROJECT), tmp_path / "out") == PROJECT


@both_kinds
def test_a_single_top_folder_with_the_cog_yaml_is_left_out(packed: Packer, tmp_path: Path) -> None:
    nested = {f"model/{name}": data for name, data in PROJECT.items()} | {"model/model/x": b"x", "__MACOSX/._a": b""}
    assert unpacked(packed(nested), tmp_path / "out") == PROJECT | {"model/x": b"x"}


@both_kinds
def test_a_top_folder_without_cog_yaml_stays(packed: Packer, tmp_path: Path) -> None:
    assert unpacked(packed({"a/b.txt": b"1"}), tmp_path / "out") == {"a/b.txt": b"1"}


@both_kinds
@pytest.mark.parametrize("junk", [".git/config", ".cog/x.json", "a/__pycache__/b.pyc", "a/.DS_Store", "__MACOSX/._x"])
def test_what_is_no_part_of_a_project_is_skipped(packed: Packer, junk: str, tmp_path: Path) -> None:
    assert unpacked(packed(PROJECT | {junk: b"x"}), tmp_path / "out") == PROJECT


@both_kinds
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("/etc/passwd", "absolute path"),
        ("../up.txt", "'..' in it"),
        ("a/../../up.txt", "'..' in it"),
        ("C:/windows.txt", "drive letter"),
        ("c:up.txt", "drive letter"),
        ("a\\b.txt", "backslash"),
        ("a\nb.txt", "control characters"),
        ("a/" * 33 + "b", "folders deep"),
        ("a" * 200 + "/" + "b" * 100, "longer than 255 bytes"),
        ("ü" * 130, "longer than 255 bytes"),
    ],
)
def test_a_name_that_could_leave_the_folder_is_refused(packed: Packer, name: str, message: str, tmp_path: Path) -> None:
    assert message in refusal(packed(PROJECT | {name: b"x"}), tmp_path / "out")


@both_kinds
@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["run.py", "Run.py"], "differ only in capital letters"),
        (["Data/a", "data/b"], "differ only in capital letters"),
        (["caf\u00e9", "cafe\u0301"], "differ only in capital letters or accents"),
        (["a", "a/b"], "a is a file and a folder"),
        (["a/b", "a"], "a is a file and a folder"),
        (["a", "./a"], "a is in the archive twice"),
    ],
)
def test_entries_that_meet_are_refused(packed: Packer, names: list[str], message: str, tmp_path: Path) -> None:
    assert message in refusal(packed(dict.fromkeys(names, b"x")), tmp_path / "out")


def test_the_same_file_twice_is_refused(tmp_path: Path) -> None:
    twice = [(member("a", size=1), b"1"), (member("a", size=1), b"2")]
    assert "a is in the archive twice" in refusal(tar_with(*twice), tmp_path / "out")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (tarfile.SYMTYPE, "symbolic link"),
        (tarfile.LNKTYPE, "hard link"),
        (tarfile.CHRTYPE, "special file"),
        (tarfile.BLKTYPE, "special file"),
        (tarfile.FIFOTYPE, "special file"),
    ],
)
def test_a_tar_with_anything_but_files_and_folders_is_refused(kind: bytes, message: str, tmp_path: Path) -> None:
    odd = member("odd", type=kind, linkname="run.py")
    assert message in refusal(tar_with((odd, b"")), tmp_path / "out")


@pytest.mark.parametrize(
    ("mode", "message"), [(stat.S_IFLNK, "symbolic link"), (stat.S_IFCHR, "special file"), (stat.S_IFIFO, "special")]
)
def test_a_zip_with_anything_but_files_and_folders_is_refused(mode: int, message: str, tmp_path: Path) -> None:
    assert message in refusal(zip_with((zip_member("odd", mode | 0o777), b"/etc/passwd")), tmp_path / "out")


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    data = bytearray(zip_of({"a": b"x"}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert "encrypted" in refusal(bytes(data), tmp_path / "out")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_with_another_compression_is_refused(method: int, tmp_path: Path) -> None:
    assert "compression method" in refusal(zip_with((zip_member("a"), b"x"), method=method), tmp_path / "out")


def test_a_file_that_is_no_archive_is_refused_whatever_it_is_called(tmp_path: Path) -> None:
    assert "neither a zip nor a tar.gz" in refusal(b"#!/bin/sh\necho", tmp_path / "out")


@both_kinds
def test_an_archive_without_files_is_refused(packed: Packer, tmp_path: Path) -> None:
    assert "no files" in refusal(packed({}), tmp_path / "out")


@both_kinds
def test_an_archive_cut_off_anywhere_is_refused(packed: Packer, tmp_path: Path) -> None:
    whole = packed(PROJECT | {"noise": os.urandom(3000)})
    for length in [*range(0, len(whole), 97), len(whole) - 1]:
        assert refusal(whole[:length], tmp_path / "out")


def test_a_tar_whose_end_is_missing_is_refused_although_gzip_is_whole(tmp_path: Path) -> None:
    blocks = gzip.decompress(tar_of({"a": b"1", "b": b"2"}))
    assert "incomplete" in refusal(gzip.compress(blocks[:1024]), tmp_path / "out")
    assert "incomplete" in refusal(gzip.compress(blocks[:1024] + b"?" * 512 + blocks[1536:]), tmp_path / "out")


def test_an_extended_header_of_megabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    def with_comment(length: int) -> bytes:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
            tar.addfile(member("a", pax_headers={"comment": "c" * length}))
        return packed.getvalue()

    assert unpacked(with_comment(1000), tmp_path / "small") == {"a": b""}
    assert "damaged" in refusal(with_comment(2_000_000), tmp_path / "out")


def test_a_sparse_file_is_refused(tmp_path: Path) -> None:
    assert "special file" in refusal(tar_with((member("holes", type=tarfile.GNUTYPE_SPARSE), b"")), tmp_path / "out")


def test_names_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    assert "not UTF-8" in refusal(tar_with((member("caf\xe9"), b""), encoding="latin-1"), tmp_path / "tar")
    data = zip_of({"caf?": b""}).replace(b"caf?", b"caf\xe9")
    assert "not UTF-8" in refusal(data, tmp_path / "zip")


def test_an_unmarked_utf8_name_in_a_zip_is_understood(tmp_path: Path) -> None:
    data = zip_of({"caf??": b"x"}).replace(b"caf??", "café".encode())
    assert unpacked(data, tmp_path / "out") == {"café": b"x"}


@both_kinds
@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (ArchiveLimits(compressed_bytes=100), "larger than 0.0001 MB"),
        (ArchiveLimits(unpacked_bytes=2_000_000), "unpacks to more than 2 MB"),
        (ArchiveLimits(entries=2), "more than 2 entries"),
        (ArchiveLimits(ratio_free_bytes=1_000_000), "more than 100 times its own size"),
    ],
)
def test_too_much_is_refused(packed: Packer, limits: ArchiveLimits, message: str, tmp_path: Path) -> None:
    assert message in refusal(packed({"a": bytes(3_000_000), "b": b"", "c": b""}), tmp_path / "out", limits)


def test_a_size_that_lies_does_not_help(tmp_path: Path) -> None:
    data = bytearray(zip_of({"a": bytes(3_000_000)}))
    directory = data.index(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = struct.pack("<I", 10)
    data[22:26] = struct.pack("<I", 10)
    assert refusal(bytes(data), tmp_path / "out", ArchiveLimits(unpacked_bytes=1_000_000))


def test_a_huge_table_of_contents_is_refused_before_it_is_read(tmp_path: Path) -> None:
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 0) + bytes(16)
    directory = entry * 400_000
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 9, 9, len(directory), 0, 0)
    assert "table of contents" in refusal(b"PK\x03\x04" + directory + end, tmp_path / "out")


@both_kinds
def test_modes_are_plain(packed: Callable[..., bytes], tmp_path: Path) -> None:
    unpacked(packed({"tool": b"x"}, mode=0o6777), tmp_path / "a")
    unpacked(packed({"tool": b"x"}, mode=0o4600), tmp_path / "b")
    assert stat.S_IMODE((tmp_path / "a/tool").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "b/tool").stat().st_mode) == 0o644


def test_a_folder_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(FileExistsError):
        unpacked(tar_of(PROJECT), tmp_path)
    assert (tmp_path / "mine").read_text() == "keep"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), kind=st.sampled_from([tar_of, zip_of]), recompress=st.booleans())
def test_damaged_bytes_are_refused_or_harmless(
    data: st.DataObject, kind: Packer, recompress: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    archive = kind(PROJECT | {"x" * 120: b"long name"})
    recompress = recompress and kind is tar_of
    damaged = bytearray(gzip.decompress(archive) if recompress else archive)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(4, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("damaged") / "out"
    try:
        unpack(io.BytesIO(gzip.compress(bytes(damaged)) if recompress else bytes(damaged)), folder)
    except ArchiveRefused:
        assert not folder.exists()


# --- digest and pack -------------------------------------------------------------------------------------------


def write(folder: Path, files: Files) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_the_digest_is_that_of_the_content_alone(tmp_path: Path) -> None:
    later = dict(reversed(PROJECT.items()))
    unpacked(tar_of(PROJECT, mtime=1_700_000_000), tmp_path / "tar")
    unpacked(zip_of(later, date=(2024, 5, 1, 8, 0, 0), mode=0o100664), tmp_path / "zip")
    found = {digest(tmp_path / "tar"), digest(tmp_path / "zip"), digest(write(tmp_path / "plain", PROJECT))}
    assert len(found) == 1 and len(found.pop()) == 64


@pytest.mark.parametrize(
    "change",
    [{"run.py": b"other"}, {"new.txt": b""}, {"data/words.txt\0": b"one two"}],
    ids=["content", "another file", "name"],
)
def test_another_content_has_another_digest(change: Files, tmp_path: Path) -> None:
    changed = PROJECT | {name.replace("\0", "2"): data for name, data in change.items()}
    assert digest(write(tmp_path / "a", PROJECT)) != digest(write(tmp_path / "b", changed))


def test_the_executable_bit_counts(tmp_path: Path) -> None:
    before = digest(write(tmp_path, PROJECT))
    (tmp_path / "run.py").chmod(0o755)
    assert digest(tmp_path) != before


def test_packing_gives_the_same_bytes_and_comes_back_the_same(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one", PROJECT), write(tmp_path / "two", dict(reversed(PROJECT.items())))
    os.utime(two / "run.py", (1, 1))
    (one / "run.py").chmod(0o775)
    (two / "run.py").chmod(0o711)
    assert pack(one) == pack(two)
    assert unpacked(pack(one), tmp_path / "back") == PROJECT
    assert digest(tmp_path / "back") == digest(one)


def test_packing_leaves_out_what_is_no_part_of_the_project(tmp_path: Path) -> None:
    more = {".git/HEAD": b"", ".cog/x": b"", "env/pyvenv.cfg": b"", "env/bin/python": b"", "a/__pycache__/b.pyc": b""}
    assert project_files(write(tmp_path, PROJECT | more)) == sorted(PROJECT)


def test_a_link_is_refused_when_packing(tmp_path: Path) -> None:
    write(tmp_path, PROJECT)
    (tmp_path / "weights").symlink_to("/etc/passwd")
    with pytest.raises(ArchiveRefused, match="weights is a link"):
        pack(tmp_path)


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ("# nothing\n\n", ["a.txt", "b/c.txt", "b/d/e.bin", "b/keep.bin"]),
        ("*.txt", ["b/c.txt", "b/d/e.bin", "b/keep.bin"]),
        ("**/*.txt", ["b/d/e.bin", "b/keep.bin"]),
        ("b", ["a.txt"]),
        ("/b/d/", ["a.txt", "b/c.txt", "b/keep.bin"]),
        ("b/**\n!b/keep.bin", ["a.txt", "b/keep.bin"]),
        ("?.txt\nb/[cd].txt", ["b/d/e.bin", "b/keep.bin"]),
        ("*", []),
    ],
)
def test_the_dockerignore_is_honoured_but_cog_yaml_stays(rules: str, left: list[str], tmp_path: Path) -> None:
    files = {"cog.yaml": b"", "a.txt": b"", "b/c.txt": b"", "b/d/e.bin": b"", "b/keep.bin": b""}
    write(tmp_path, files | {".dockerignore": rules.encode()})
    assert [name for name in project_files(tmp_path) if name != ".dockerignore"] == sorted([*left, "cog.yaml"])
