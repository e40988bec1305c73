"""The embedded servers: whatever was killed before, the next start works; what was committed is still there."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from marketplace import embedded, unprivileged
from marketplace.processes import Held, working_in

ROOT = Path(__file__).parents[2]
# Runs servers in the folder until it is killed, and says when they are up.
RUN_UNTIL_KILLED = """
import sys, time
from marketplace import embedded
with embedded.running(sys.argv[1]):
    print("up", flush=True)
    time.sleep(600)
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="my-pg-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def connect(var_dir: Path) -> "psycopg.Connection[tuple[int, ...]]":
    folder = str(embedded.socket_folder(var_dir))
    return psycopg.connect(host=folder, user="postgres", dbname=embedded.DATABASE, autocommit=True)


def server_processes(var_dir: Path) -> list[int]:
    return working_in(var_dir / "postgres", "postgres") + working_in(var_dir / "valkey", "valkey-server")


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


@contextlib.contextmanager
def held_by_another_process(var_dir: Path) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-c", RUN_UNTIL_KILLED, str(var_dir)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout and process.stdout.readline() == b"up\n"
            yield process
        finally:
            process.kill()


def test_both_servers_answer_and_are_gone_afterwards(folder: Path) -> None:
    with embedded.running(folder, fast=True) as (_, redis_url):
        with connect(folder) as connection:
            assert connection.execute("SELECT similarity('word', 'words') > 0.5").fetchone() == (True,)  # pg_trgm
        assert redis.from_url(redis_url).ping()
    assert server_processes(folder) == []


def test_a_folder_has_one_user_at_a_time(folder: Path) -> None:
    with embedded.running(folder, fast=True), pytest.raises(Held), embedded.running(folder, fast=True):
        pass


def test_what_was_committed_survives_kill_9_of_everything(folder: Path) -> None:
    with held_by_another_process(folder) as process, connect(folder) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        for pid in [process.pid, *server_processes(folder)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    with embedded.running(folder, fast=True), connect(folder) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


@pytest.mark.skipif(not shutil.which("setpriv"), reason="no setpriv")
def test_servers_end_by_themselves_when_their_supervisor_is_killed(folder: Path) -> None:
    with held_by_another_process(folder):
        assert server_processes(folder)
    assert eventually(lambda: server_processes(folder) == [])


def test_orphaned_servers_are_ended_at_the_next_start(folder: Path) -> None:
    servers = (embedded.Postgres(folder, fast=True), embedded.Valkey(folder, fast=True))
    orphans = [subprocess.Popen(server.command(), stderr=subprocess.DEVNULL) for server in servers]
    assert all(eventually(server.is_ready) for server in servers)
    with embedded.running(folder, fast=True):
        assert all(orphan.wait(5) is not None for orphan in orphans)
        assert all(server.is_ready() for server in servers)


def test_a_stale_pid_file_that_names_another_program_is_no_obstacle(folder: Path) -> None:
    with embedded.running(folder, fast=True):
        pass
    lock = folder / "run" / ".s.PGSQL.5432.lock"
    with subprocess.Popen(["sleep", "60"]) as bystander:
        for path in (folder / "postgres" / "postmaster.pid", lock):
            path.write_text(f"{bystander.pid}\n{folder}/postgres\n1\n5432\n{folder}/run\n\n")
        with embedded.running(folder, fast=True), connect(folder):
            assert bystander.poll() is None
        bystander.kill()


def test_an_initdb_that_died_half_way_is_done_again(folder: Path) -> None:
    (folder / "postgres.unfinished" / "base").mkdir(parents=True)
    with embedded.running(folder, fast=True), connect(folder):
        assert not (folder / "postgres.unfinished").exists()


def test_too_long_a_path_moves_the_sockets_to_a_short_folder(folder: Path) -> None:
    deep = folder / ("x" * 100)
    sockets = embedded.socket_folder(deep)
    try:
        with embedded.running(deep, fast=True), connect(deep):
            assert len(f"{sockets}/.s.PGSQL.5432") < embedded.SOCKET_PATH_LIMIT
            assert sockets.stat().st_mode & 0o077 == 0
    finally:
        shutil.rmtree(sockets, ignore_errors=True)


@as_root
def test_a_folder_for_sockets_that_somebody_else_made_is_refused(folder: Path) -> None:
    (folder / "run").mkdir()
    os.chown(folder / "run", 12345, 12345)
    with pytest.raises(embedded.EmbeddedError, match="belongs to somebody else"), embedded.running(folder, fast=True):
        pass


def test_data_of_another_major_version_are_refused_in_plain_words(folder: Path) -> None:
    with embedded.running(folder, fast=True):
        pass
    (folder / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(embedded.EmbeddedError, match="made by PostgreSQL 12"):
        embedded.Postgres(folder).command()


@pytest.mark.skipif(not list(Path("/usr/lib/postgresql").glob("*/bin/postgres")), reason="no PostgreSQL is installed")
def test_an_installed_postgresql_is_taken_when_asked_for(folder: Path) -> None:
    with embedded.running(folder, fast=True, installed=True), connect(folder) as connection:
        version = connection.info.server_version // 10000
    assert str(embedded.postgres_binaries(installed=True)).startswith(f"/usr/lib/postgresql/{version}/")


@as_root
def test_without_user_namespaces_root_hands_the_data_to_another_user(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unprivileged, "namespaces_work", lambda: False)  # as in most containers
    with embedded.running(folder, fast=True), connect(folder):
        owner = (folder / "postgres").stat().st_uid
        assert owner != 0
        assert {os.stat(f"/proc/{pid}").st_uid for pid in working_in(folder / "postgres", "postgres")} == {owner}
    with embedded.running(folder, fast=True), connect(folder):  # and it stays that user's
        pass


def python_of(user: int) -> list[str] | None:
    """A Python of this version that the user may execute; one below /root can't be."""
    become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--"]
    for python in (sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"):
        if subprocess.run([*become, python, "-V"], capture_output=True).returncode == 0:
            return [*become, python]
    return None


@as_root
def test_an_ordinary_user_needs_no_privilege_at_all(folder: Path) -> None:
    os.chown(folder, 65534, 65534)
    if not (python := python_of(65534)):
        pytest.skip("no Python that an ordinary user may execute")
    script = "import sys; from marketplace import embedded\nwith embedded.running(sys.argv[1]): print('up')"
    environment = {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "PATH": os.environ["PATH"]}
    for _ in range(2):  # the second start finds the data
        done = subprocess.run([*python, "-c", script, str(folder)], env=environment, cwd="/", capture_output=True)
        assert (done.stdout, done.returncode) == (b"up\n", 0), done.stderr
    assert (folder / "postgres").stat().st_uid == 65534


def test_urls_are_understood_by_both_clients_whatever_the_folder_is_called() -> None:
    database_url, redis_url = embedded.urls("/srv/a b#c?d%20e")
    assert database_url == "postgres://postgres@%2Fsrv%2Fa%20b%23c%3Fd%2520e%2Frun/modelyard"
    options = redis.from_url(redis_url).connection_pool.connection_kwargs
    assert (options["path"], options["db"]) == ("/srv/a b#c?d%20e/run/valkey.sock", 0)
