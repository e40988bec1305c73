"""Publish a folder from this machine as the site's pages and API would: for `manage.py publish` and for seeding.

The build is a worker's; `watch` only reads its rows, so that it may run in any process that reaches the database.
"""

import io
import time
from collections.abc import Iterator
from pathlib import Path

from accounts.access import Caller
from accounts.models import Account
from marketplace.lib.problems import NotFound, Problem
from models_catalog import project_folder, publishing
from models_catalog.model_fields import NewModel
from models_catalog.models import Model, Version
from runner.build_streams import ENDED
from runner.models import Build, Hardware

_POLL_SECONDS = 0.3
_NO_WORKER_AFTER_SECONDS = 15.0


class FolderRefused(Problem):
    """The folder can't be published; says why."""


def caller_for_account(account: Account) -> Caller:
    """Somebody with a shell on this machine acts as any account."""
    return Caller(account_id=account.pk, username=account.username, user_id=account.user_id)


def hardware_skus() -> list[str]:
    """What a model may choose."""
    return list(Hardware.objects.values_list("sku", flat=True))


def ensure_model(caller: Caller, new: NewModel) -> Model:
    """The caller's model of that name, made if it is missing. Raises as `publishing.create_model`."""
    try:
        return publishing.get_own_model(caller, new.owner, new.name)
    except NotFound:
        return publishing.create_model(caller, new, hardware_skus=hardware_skus())


def submit_folder(caller: Caller, model: Model, folder: Path) -> Version:
    """Pack and submit. Raises FolderRefused, and as `publishing.submit_version`."""
    if not folder.is_dir():
        raise FolderRefused(f"{folder} is not a folder.")
    try:
        packed = project_folder.pack(folder)
    except project_folder.ArchiveRefused as error:
        raise FolderRefused(error.message) from error
    return publishing.submit_version(caller, model, io.BytesIO(packed))


def watch(version: Version) -> Iterator[str]:
    """The log of a version's newest build as it grows, in pieces, to its end; nothing for one that was ready before."""
    if Version.objects.filter(pk=version.pk, status=Version.Status.READY).exists():
        return
    seen, started, is_warned = 0, time.monotonic(), False
    while True:
        build = Build.objects.filter(version_id=version.pk).first()
        if build and len(build.log) > seen:
            yield build.log[seen:]
            seen = len(build.log)
        if build and build.status in ENDED:
            return
        waits = build is None or build.status == Build.Status.QUEUED
        if waits and not is_warned and time.monotonic() - started > _NO_WORKER_AFTER_SECONDS:
            is_warned = True
            yield "Waiting for a worker (is the platform running? start it with: manage.py serve)\n"
        time.sleep(_POLL_SECONDS)


def build_error(version: Version) -> str:
    """Why the newest build of a version failed; "" if it didn't."""
    build = Build.objects.filter(version_id=version.pk).first()
    return build.error if build and build.status == Build.Status.FAILED else ""
