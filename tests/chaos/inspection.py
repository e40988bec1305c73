"""A live site from outside: its processes, the processes of its models, its rows."""

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from marketplace import embedded
from tests.plugins.live_site import LiveSite

# How the children of `manage.py serve` are told apart: a part of their command line.
_MARKS = {
    "web": "\0uvicorn\0",
    "runner": "manage.py\0runner\0",
    "worker": "\0--queues=celery\0",
    "deliveries": "\0--queues=webhooks\0",
    "postgres": "/postgres\0-D\0",
    "valkey": "valkey-server",
}


def query(site: LiveSite, sql: str, *values: object) -> list[dict[str, Any]]:
    """Rows of its database."""
    sockets = str(embedded.socket_folder(site.var_dir))
    with psycopg.connect(host=sockets, user="postgres", dbname=embedded.DATABASE, row_factory=dict_row) as connection:
        return connection.execute(sql.encode(), values or None).fetchall()


def kill(site: LiveSite, name: str) -> int:
    """kill -9 of a child of the supervisor; returns the pid it had."""
    pid = pid_of(site, name)
    assert pid, f"{name} does not run"
    os.kill(pid, signal.SIGKILL)
    return pid


def pid_of(site: LiveSite, name: str) -> int | None:
    """The process of that name, None while it is down."""
    for entry in _processes():
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes().decode(errors="replace")
            if _MARKS[name] in line and _parent(entry) == site.process.pid:
                return int(entry.name)
    return None


def instance_pids(site: LiveSite) -> dict[str, list[int]]:
    """Living processes of models, by the id of their instance; "" for those whose instance has no row.

    A model's own processes have its id in their environment, a sandbox's the site's folder in their command line.
    """
    known = {row["id"] for row in query(site, "SELECT id FROM runner_instance")}
    found: dict[str, list[int]] = {}
    for entry in _processes():
        with contextlib.suppress(OSError):
            environ, line = (entry / "environ").read_bytes(), (entry / "cmdline").read_bytes()
            variables = dict(pair.partition(b"=")[::2] for pair in environ.split(b"\0"))
            instance_id = variables.get(b"MODELYARD_INSTANCE", b"").decode()
            if line and (instance_id in known or os.fsencode(site.var_dir / "instances") in line):
                found.setdefault(instance_id if instance_id in known else "", []).append(int(entry.name))
    return found


def _processes() -> list[Path]:
    return list(Path("/proc").glob("[0-9]*"))


def _parent(entry: Path) -> int:
    return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
