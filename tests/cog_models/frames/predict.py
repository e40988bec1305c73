"""Makes files one after the other."""

import tempfile
from collections.abc import Iterator
from pathlib import Path as LocalPath

from cog import BaseRunner, Input, Path


class Runner(BaseRunner):
    def run(self, count: int = Input(default=2, ge=0, le=20, description="How many files to make.")) -> Iterator[Path]:
        folder = LocalPath(tempfile.mkdtemp())
        for number in range(count):
            file = folder / f"frame{number}.txt"
            file.write_text(f"frame {number}")
            yield Path(file)
