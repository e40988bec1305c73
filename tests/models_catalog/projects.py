"""Archives of small projects, as people upload them."""

import io
import tarfile
import zipfile
from pathlib import Path

COG_MODELS = Path(__file__).parents[1] / "cog_models"
COG_YAML = 'build:\n  python_version: "3.11"\nrun: "predict.py:Runner"\n'
PREDICT = "from cog import BaseRunner\n\n\nclass Runner(BaseRunner):\n    def run(self) -> str:\n        return 'hi'\n"


def project(**files: str) -> dict[str, str]:
    """A project's files by name; `__` in a name stands for a dot."""
    named = {name.replace("__", "."): content for name, content in files.items()}
    return {"cog.yaml": COG_YAML, "predict.py": PREDICT, **named}


def zipped(files: dict[str, str]) -> io.BytesIO:
    """As a zip."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    packed.seek(0)
    return packed


def tarred(files: dict[str, str], *, links: dict[str, str] | None = None) -> io.BytesIO:
    """As a tar.gz; links: name → where it leads."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content.encode())
            archive.addfile(entry, io.BytesIO(content.encode()))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    packed.seek(0)
    return packed
