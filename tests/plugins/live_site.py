"""A whole site of real processes, started by `manage.py serve` on a folder of its own, set up by the environment alone.

For tests of official clients, browsers and crashes, and for measurements: `LiveSite.started()` as a context, or the
fixture `live_site`, one for the session. Models come to it by the real way: an archive over the API, built by a worker.
"""

import contextlib
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

ROOT = Path(__file__).parents[2]
COG_MODELS = ROOT / "tests" / "cog_models"
_START_SECONDS = 120.0
_BUILD_SECONDS = 300.0
_NEW_ACCOUNT = """
from accounts.access import create_personal_account
from accounts import tokens
from accounts.models import User
user = User.objects.create_user({name!r}, {name!r} + "@example.test", {password!r}, is_staff={is_staff})
print(tokens.issue(create_personal_account(user), name="live", created_by=user)[1])
"""
HIGH_LIMITS = {f"RATE_LIMIT_{name}_PER_MINUTE": "100000000" for name in ("CREATE", "POLL", "OTHER")}  # for bursts
PASSWORD = "correct horse battery"


@dataclass
class LiveSite:
    """Where it is, and `nina`'s token. `environment` starts further processes of the same site."""

    base_url: str
    var_dir: Path
    environment: dict[str, str]
    process: "subprocess.Popen[bytes]"
    token: str = ""
    _published: dict[str, str] = field(default_factory=dict)

    @classmethod
    @contextlib.contextmanager
    def started(cls, **environment: str) -> Iterator[Self]:
        """A site that is up, with the account `nina`; ended and removed afterwards. environment: further settings."""
        var_dir = Path(tempfile.mkdtemp(prefix="my-live-", dir="/tmp"))  # short: sockets live below it
        port = free_port()
        own = {
            "VAR_DIR": str(var_dir),
            "PORT": str(port),
            "SEED": "0",
            "SECRET_KEY": "only-for-tests",
            "LOG_LEVEL": "INFO",
        }
        inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
        env = {**inherited, **own, "EGRESS_ALLOW_PRIVATE": "1", "PUBLIC_URL": f"http://localhost:{port}", **environment}
        with open(var_dir / "serve.log", "wb") as log:
            command = [sys.executable, str(ROOT / "manage.py"), "serve"]
            process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True)
        site = cls(f"http://localhost:{port}", var_dir, env, process)
        try:
            site._wait_until_up()
            site.token = site.new_account("nina")
            yield site
        finally:
            site._stop()
            shutil.rmtree(var_dir, ignore_errors=True)

    def manage(self, *words: str) -> str:
        """Run a management command of the site; returns what it printed."""
        command = [sys.executable, str(ROOT / "manage.py"), *words]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{words[0]} failed: {done.stdout}{done.stderr}")
        return done.stdout

    def run_python(self, code: str) -> str:
        """Run a piece of Python inside the site's Django; returns what it printed."""
        return self.manage("shell", "--no-imports", "--verbosity=0", "-c", code)

    def new_account(self, name: str, *, is_staff: bool = False) -> str:
        """Make a user with an account of that name and PASSWORD; returns a token of theirs."""
        code = _NEW_ACCOUNT.format(name=name, password=PASSWORD, is_staff=is_staff)
        return self.run_python(code).strip().splitlines()[-1]

    def request(self, method: str, path: str, *, token: str | None = None, **options: Any) -> httpx.Response:
        """One API request as nina, or as the holder of another token ("" for none)."""
        headers = {"Authorization": f"Bearer {token or self.token}"} if token != "" else {}
        headers |= options.pop("headers", {})
        url = path if path.startswith("http") else self.base_url + path
        return httpx.request(method, url, headers=headers, **{"timeout": 70, **options})

    def publish(self, folder: str, name: str | None = None, *, owner: str = "nina", **columns: Any) -> str:
        """Publish tests/cog_models/<folder> as nina's model and wait for its build, once per name; the version id.

        columns: of the model, e.g. `is_official=True`.
        """
        name = name or folder
        if name not in self._published:
            wanted = {"owner": owner, "name": name, "visibility": "public", "hardware": "cpu-small"}
            self.request("POST", "/v1/models", json=wanted).raise_for_status()
            submitted = self.request(
                "POST", f"/v1/models/{owner}/{name}/versions", content=archive_of(COG_MODELS / folder)
            ).raise_for_status()
            self._published[name] = submitted.json()["id"]
            self._wait_for_build(f"/v1/models/{owner}/{name}/versions/{self._published[name]}/build")
            if columns:
                model = f"Model.objects.filter(name={name!r}).update(**{columns!r})"
                self.run_python(f"from models_catalog.models import Model; {model}")
        return self._published[name]

    def log(self) -> str:
        """What the processes said."""
        return (self.var_dir / "serve.log").read_text(errors="replace")

    def _wait_for_build(self, path: str) -> None:
        for _ in until(_BUILD_SECONDS):
            build = self.request("GET", path).json()
            if build.get("status") == "succeeded":
                return
            if build.get("status") == "failed":
                raise RuntimeError(f"The build failed: {build['error']}\n{build['log']}")
        raise RuntimeError(f"The build did not end: {build}\n{self.log()[-4000:]}")

    def _wait_until_up(self) -> None:
        for _ in until(_START_SECONDS):
            if self.process.poll() is not None:
                break
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.base_url}/health", timeout=5).status_code == 200:
                    return
        raise RuntimeError(f"The site did not come up:\n{self.log()[-6000:]}")

    def _stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


_NOT_INHERITED = {"DATABASE_URL", "REDIS_URL", "STORAGE_URL", "DJANGO_SETTINGS_MODULE", "MODELYARD_TEST_SERVICES"}


def archive_of(folder: Path) -> bytes:
    """The folder as a tar.gz, without what earlier runs left in it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path in sorted(folder.iterdir()):
            if path.name not in {"__pycache__", ".cog"}:
                archive.add(path, arcname=path.name)
    return packed.getvalue()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(seconds: float) -> Iterator[None]:
    """Turns of a loop that asks another process, for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.1)


@pytest.fixture(scope="session")
def live_site() -> Iterator[LiveSite]:
    """One site for all tests of the session."""
    with LiveSite.started() as site:
        yield site
