"""The services of a test session: one embedded PostgreSQL and Valkey for all workers, not durable, ended afterwards.

Loaded by `-p` before Django reads its settings. TEST_DATABASE_URL and TEST_REDIS_URL name running servers instead;
EMBEDDED_POSTGRES=system takes an installed PostgreSQL's binaries.
"""

import atexit
import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from marketplace import embedded

_MARK = "MODELYARD_TEST_SERVICES"


def _start() -> None:
    # Short: sockets live below it.
    var_dir = Path(tempfile.mkdtemp(prefix="modelyard-test-", dir="/tmp"))
    os.environ.update({_MARK: str(var_dir), "VAR_DIR": str(var_dir), "SECRET_KEY": "only-for-tests", "LOG_LEVEL": "WARNING"})
    stack = contextlib.ExitStack()
    installed = os.environ.get("EMBEDDED_POSTGRES") == "system"
    database_url, redis_url = stack.enter_context(embedded.running(var_dir, fast=True, installed=installed))
    os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL", database_url)
    os.environ["REDIS_URL"] = os.environ.get("TEST_REDIS_URL", redis_url)
    atexit.register(_stop, stack, var_dir, os.getpid())


def _stop(stack: contextlib.ExitStack, var_dir: Path, owner: int) -> None:
    if os.getpid() == owner:
        stack.close()
        shutil.rmtree(var_dir, ignore_errors=True)


if _MARK not in os.environ:  # workers of pytest-xdist inherit the first process's
    _start()
