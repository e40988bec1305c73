"""Files inside an object, and in a list inside it."""

import tempfile
from pathlib import Path as LocalPath

from cog import BaseModel, BaseRunner, Input, Path


class Gallery(BaseModel):
    title: str
    cover: Path
    pages: list[Path]


class Runner(BaseRunner):
    def run(self, title: str = Input(default="untitled", description="Of the gallery.")) -> Gallery:
        folder = LocalPath(tempfile.mkdtemp())
        for name in ("cover", "page0", "page1"):
            (folder / f"{name}.txt").write_text(f"{name} of {title}")
        return Gallery(
            title=title,
            cover=Path(folder / "cover.txt"),
            pages=[Path(folder / "page0.txt"), Path(folder / "page1.txt")],
        )
