"""PostgreSQL and Valkey for the tests: one pair for the whole run and all workers of xdist, in a temporary folder.

Loaded by `-p` in pyproject.toml, because the addresses must stand before Django's settings are read. TEST_DATABASE_URL
and TEST_REDIS_URL name servers that run already; TEST_POSTGRES=system takes an installed PostgreSQL, not the wheel's.
Addresses in DATABASE_URL and REDIS_URL are overwritten: tests never touch what somebody works with.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from marketplace import embedded

_stack = contextlib.ExitStack()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Generator[None]:
    """Before pytest-django reads the settings in the same hook: wrappers come first."""
    if "PYTEST_XDIST_WORKER" not in os.environ:  # workers inherit the first process's environment
        _start()
    return (yield)


def pytest_unconfigure() -> None:
    """End what this process started."""
    _stack.close()


def _start() -> None:
    # A short path: models' sockets live below it too.
    folder = Path(tempfile.mkdtemp(prefix="my-test-", dir="/tmp"))
    _stack.callback(shutil.rmtree, folder, ignore_errors=True)
    os.environ.update(VAR_DIR=str(folder), SECRET_KEY="only-for-tests", LOG_LEVEL="WARNING")
    os.environ["DATABASE_URL"], os.environ["REDIS_URL"] = _stack.enter_context(_servers(folder))


@contextlib.contextmanager
def _servers(folder: Path) -> Iterator[tuple[str, str]]:
    database_url, redis_url = os.environ.get("TEST_DATABASE_URL"), os.environ.get("TEST_REDIS_URL")
    if database_url and redis_url:
        yield database_url, redis_url
        return
    with embedded.running(folder, fast=True, installed=os.environ.get("TEST_POSTGRES") == "system") as urls:
        yield database_url or urls[0], redis_url or urls[1]
