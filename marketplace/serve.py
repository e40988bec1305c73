"""What `manage.py serve` runs: the embedded servers if no others are named, migrations, web, runner, workers and beat.

`site_plan` says what, from the settings; `run` does it with any plan. Only one at a time runs on a VAR_DIR.
"""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections
from django.db.backends.postgresql.base import DatabaseWrapper

from marketplace import first_start
from marketplace.children import Child, Program
from marketplace.embedded import LOCK_FILE, Postgres, Valkey
from marketplace.processes import Held, lock
from marketplace.supervision import supervising
from runner.backends import make_backend

READY_SECONDS = 90.0  # a slow disk, or PostgreSQL replaying its log after a crash


class Refused(RuntimeError):
    """Nothing was started; the message says why and what to do."""


@dataclass(frozen=True)
class Plan:
    """What to start, in this order, on which folder and address."""

    var_dir: Path
    host: str
    port: int
    servers: Sequence[Child] = ()
    prepare: Callable[[], object] = lambda: None  # with the servers up, before the processes start
    processes: Sequence[Program] = ()
    on_up: Callable[[], str] = lambda: ""  # says what to print
    in_background: Sequence[Program] = ()  # once all is up
    after_processes: Callable[[], object] = lambda: None  # at the stop, while the servers are still up


def run(plan: Plan) -> int:
    """Serve until a signal asks to stop. Returns the exit code. Raises Refused before anything was started."""
    try:
        with lock(plan.var_dir / LOCK_FILE):
            ensure_port_is_free(plan.host, plan.port)
            return _run(plan)
    except Held as held:
        raise Refused(
            f"{plan.var_dir} is already served by process {held.pid or 'unknown'}: stop it, or set another VAR_DIR."
        ) from held


def _run(plan: Plan) -> int:
    with supervising() as supervisor:
        try:
            supervisor.start(*plan.servers)
            supervisor.wait_until_ready(READY_SECONDS)
            plan.prepare()
            supervisor.after_stopping(plan.after_processes)
            supervisor.begin_batch()
            for process in plan.processes:  # one after the other: the first, the site, answers sooner so
                supervisor.start(process)
                supervisor.wait_until_ready(READY_SECONDS)
        except (RuntimeError, CommandError, DatabaseError) as error:
            supervisor.say(str(error))
            return 1
        supervisor.show(plan.on_up())
        for program in plan.in_background:
            supervisor.run_in_background(program, lambda code: None)
        supervisor.watch()
    return 0


def ensure_port_is_free(host: str, port: int) -> None:
    """Raises Refused if somebody listens there, or we may not."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Refused(
                f"Can't listen on {host} port {port}: {error.strerror}. Free it, or set PORT to another."
            ) from error


def site_plan(host: str, port: int) -> Plan:
    """The whole site, as the settings say."""
    servers: list[Child] = []
    if settings.DATABASE_URL == settings.EMBEDDED_DATABASE_URL:
        servers.append(Postgres(settings.VAR_DIR, installed=settings.EMBEDDED_POSTGRES == "system"))
    if settings.REDIS_URL == settings.EMBEDDED_REDIS_URL:
        servers.append(Valkey(settings.VAR_DIR))
    return Plan(
        settings.VAR_DIR,
        host,
        port,
        servers=servers,
        prepare=_migrate,
        processes=_processes(host, port),
        on_up=_greet,
        in_background=[_manage("seed")] if settings.SEED else [],
        after_processes=lambda: asyncio.run(_stop_models()),
    )


def _processes(host: str, port: int) -> list[Program]:
    web = ["uvicorn", "marketplace.asgi:application", "--host", host, "--port", str(port), "--no-access-log"]
    web += ["--log-level=warning", "--timeout-graceful-shutdown=4"]  # streams may be open for hours
    celery = ["celery", "--quiet", "-A", "marketplace"]
    # Threads: builds wait for other programs, deliveries for the network; nothing here computes.
    worker = [*celery, "worker", "--pool=threads", "--without-gossip", "--without-mingle", "--loglevel=warning"]
    builds = [*worker, "--concurrency=4", "--queues=celery"]
    deliveries = [*worker, "--concurrency=16", "--queues=webhooks", "--hostname=deliveries@%h"]
    beat = [*celery, "beat", "--pidfile=", "--loglevel=warning"]
    return [
        Program("web", _module(*web), ready=lambda: is_listening(host, port)),
        _manage("runner"),
        Program("worker", _module(*builds)),
        Program("deliveries", _module(*deliveries)),
        Program("beat", _module(*beat)),
    ]


def _module(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-W", "ignore:You're running the worker with superuser", "-m", *words)


def _manage(command: str, *options: str) -> Program:
    return Program(command, (sys.executable, str(settings.BASE_DIR / "manage.py"), command, *options))


def is_listening(host: str, port: int) -> bool:
    """Whether somebody takes connections there."""
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - read, not listened on
    try:
        socket.create_connection((target, port), timeout=1).close()
    except OSError:
        return False
    return True


def _migrate() -> None:
    """Here and not in a child: this process has Django loaded, which takes longer than to see that all is migrated."""
    with _database():
        call_command("migrate", interactive=False, verbosity=0)


def _greet() -> str:
    with _database():
        operator = first_start.ensure_operator(settings.VAR_DIR)
    return first_start.greeting(settings.PUBLIC_URL, operator, settings.VAR_DIR)


@contextlib.contextmanager
def _database() -> Iterator[None]:
    """The supervisor lives long and seldom needs the database: it keeps no connection and no pool's threads."""
    try:
        yield
    finally:
        for connection in connections.all(initialized_only=True):
            connection.close()
            if isinstance(connection, DatabaseWrapper):
                connection.close_pool()


async def _stop_models() -> None:
    """A runner leaves its models running for the next one; when the whole site stops, nobody will come for them."""
    backend = make_backend()
    await asyncio.gather(*(backend.stop(handle, grace_seconds=1.0) for handle in await backend.list_running()))
