"""The services of a test session: one embedded PostgreSQL and Valkey for all workers, not durable, ended afterwards.

Loaded by `-p` before Django reads its settings. TEST_DATABASE_URL and TEST_REDIS_URL name running servers instead;
EMBEDDED_POSTGRES=system takes an installed PostgreSQL's binaries.
"""

import atexit
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from marketplace import embedded

_MARK = "MODELYARD_TEST_SERVICES"


def _start() -> None:
    # Short: sockets live below it.
    var_dir = Path(tempfile.mkdtemp(prefix="modelyard-test-", dir="/tmp"))
    os.environ.update({_MARK: str(var_dir), "VAR_DIR": str(var_dir), "SECRET_KEY": "only-for-tests", "LOG_LEVEL": "WARNING"})
    database_url, redis_url = embedded.urls(var_dir)
    os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL", database_url)
    os.environ["REDIS_URL"] = os.environ.get("TEST_REDIS_URL", redis_url)
    embedded.prepare(var_dir)
    servers = [
        subprocess.Popen(command, stdout=log, stderr=log)
        for command, log in (
            (embedded.postgres_command(var_dir, fast=True), (var_dir / "postgres.log").open("w")),
            (embedded.valkey_command(var_dir), (var_dir / "valkey.log").open("w")),
        )
    ]
    atexit.register(_stop, servers, var_dir, os.getpid())
    embedded.wait_until_up(var_dir)


def _stop(servers: list[subprocess.Popen[bytes]], var_dir: Path, owner: int) -> None:
    if os.getpid() != owner:
        return
    embedded.end_orphans(var_dir)
    for server in servers:
        server.kill()
        server.wait()
    shutil.rmtree(var_dir, ignore_errors=True)


if _MARK not in os.environ:  # workers of pytest-xdist inherit the first process's
    _start()
