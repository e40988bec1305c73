"""Real builds for tests: a submitted version of files or of a tiny model, and a stand-in for the worker process."""

import contextlib
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from django.db import connection

from accounts.models import Account
from models_catalog import project_folder, publishing
from models_catalog.models import Model, Version
from runner import builds
from runner.models import Build
from tests.accounts.factories import caller_of
from tests.models_catalog.factories import ModelFactory
from tests.models_catalog.projects import COG_MODELS, zipped


def uv_cache() -> Path:
    """The user's own, so that cog is downloaded once and not by each run."""
    return Path(os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv")


def submit_files(account: Account, files: dict[str, str], model: Model | None = None) -> Version:
    """A version of these files; its build is queued."""
    model = model or ModelFactory.create(account=account, hardware="cpu-small")
    return publishing.submit_version(caller_of(account), model, zipped(files))


def submit_model(account: Account, name: str) -> Version:
    """A version of a model in tests/cog_models."""
    model = ModelFactory.create(account=account, hardware="cpu-small")
    return publishing.submit_version(caller_of(account), model, io.BytesIO(project_folder.pack(COG_MODELS / name)))


def build(version: Version) -> Build:
    """Carry out the newest build of a version, here and now."""
    queued = Build.objects.filter(version=version)[0]
    builds.execute(queued.pk)
    queued.refresh_from_db()
    version.refresh_from_db()
    return queued


@contextlib.contextmanager
def worker() -> Iterator[None]:
    """A thread that carries out queued builds, as the worker process would."""
    stop = threading.Event()

    def work() -> None:
        try:
            while not stop.wait(0.1):
                for build_id in Build.objects.filter(status=Build.Status.QUEUED).values_list("pk", flat=True):
                    builds.execute(build_id)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
