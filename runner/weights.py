"""The weights of trained versions on this host: one file each, fetched once, which instances may only read.

A model gets the path of the file (`setup(weights)`): a sandboxed one could not download anything.
Source: cog-runtime.md 2.2, 6.
"""

import asyncio
import fcntl
import os
import shutil
from pathlib import Path

from django.conf import settings

from marketplace.lib import egress
from marketplace.lib.problems import NotFound
from models_catalog.models import Version
from runner import files
from runner.models import StoredFile

_FETCH_SECONDS = 600


class WeightsUnavailable(Exception):
    """A version's weights can't be had; the text says why."""


def ensure_weights(version: Version, stored: StoredFile | None) -> Path | None:
    """The file with the version's weights, None for a version without.

    stored: the weights as a file of ours; None: they are at an address elsewhere. Reads no rows; takes as long as the
    copy takes, and two callers at once make it once. Raises WeightsUnavailable, OSError. Not to be called in an event
    loop's own thread.
    """
    if not version.weights:
        return None
    folder = settings.WEIGHTS_DIR / version.pk
    folder.mkdir(parents=True, exist_ok=True)
    path: Path = folder / (stored.name if stored else files.safe_name(version.weights.partition("?")[0]) or "weights")
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            building = folder / ".building"
            _copy(stored, building) if stored else _fetch(version.weights, building)
            os.replace(building, path)  # a file of the right name is always whole
    return path


def _copy(stored: StoredFile, path: Path) -> None:
    try:
        with files.open_content(stored) as content, path.open("wb") as file:
            shutil.copyfileobj(content, file)
    except NotFound as error:
        raise WeightsUnavailable("The weights of this version are gone from the storage.") from error


def _fetch(url: str, path: Path) -> None:
    try:
        fetched = asyncio.run(
            egress.fetch(url, max_bytes=settings.INPUT_FILE_MAX_BYTES, timeout_seconds=_FETCH_SECONDS)
        )
    except (egress.EgressRefused, egress.EgressFailed) as error:
        raise WeightsUnavailable(f"The weights of this version could not be downloaded: {error}") from error
    path.write_bytes(fetched.content)
