"""Files in, files out: says what it was given, then makes as many files as asked for."""

import tempfile
from pathlib import Path as LocalPath

from cog import BaseRunner, Input, Path


class Runner(BaseRunner):
    def run(
        self,
        source: Path = Input(description="Any file; its bytes start each output."),  # noqa: B008 - how Cog declares inputs
        count: int = Input(default=1, ge=0, le=20, description="How many files to make."),
        size: int = Input(default=0, ge=0, le=50_000_000, description="Pad each to at least this many bytes."),
    ) -> list[Path]:
        content = source.read_bytes()
        print(f"got {len(content)} bytes as {source.suffix or 'no suffix'}")
        folder = LocalPath(tempfile.mkdtemp())
        for number in range(count):
            (folder / f"out{number}.txt").write_bytes((content + f"#{number}".encode()).ljust(size, b"."))
        return [Path(folder / f"out{number}.txt") for number in range(count)]
