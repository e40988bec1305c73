"""The engine as the front uses it: its process, and calls to one of its worlds, that no contract checks."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.plugins.live_site import free_port
from tests.stripe_front import environment, forms

_START_SECONDS = 30.0
_KEY = "sk_test_of_the_stand_in"
Json = dict[str, Any]


class Refused(Exception):
    """Stripe's error answer: `status` and the envelope `{"error": {…}}`."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(body.get("error", body))
        self.status, self.body = status, body

    @property
    def message(self) -> str:
        """What a person may read."""
        return str(self.body.get("error", {}).get("message", "The payment failed."))


def loopback() -> httpx.Client:
    """An HTTP client for this machine: without certificates, whose loading takes longer than a test."""
    return httpx.Client(verify=False, trust_env=False, timeout=60)


@contextlib.contextmanager
def running(log: Path) -> Iterator[str]:
    """The engine in a process of its own, up until the end of the context; its base URL."""
    port = free_port()
    with open(log, "wb") as output:
        command = [str(environment.PYTHON), str(environment.HERE / "engine.py"), str(port)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_up(process, url, log)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _wait_until_up(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            httpx.get(url)
            return
        time.sleep(0.05)
    raise RuntimeError(f"The Stripe engine did not come up:\n{log.read_text(errors='replace')[-4000:]}")


class EngineWorld:
    """One account of the engine. Every method raises Refused where the engine refuses."""

    def __init__(self, engine_url: str, world: str) -> None:
        self.url = f"{engine_url}/worlds/{world}"
        self._client = loopback()
        self._client.headers["Authorization"] = f"Bearer {_KEY}"

    def create(self, *, now: str | None = None) -> None:
        """An empty account, whose clock starts at `now` (ISO 8601), else at the real time."""
        self._client.put(self.url, json={"now": now} if now else {}).raise_for_status()

    def destroy(self) -> None:
        """End the account."""
        self._client.delete(self.url)
        self._client.close()

    def get(self, path: str, **params: Any) -> Json:
        """Read an object or a page of a list."""
        return self._answer(self._client.get(self.url + path, params=httpx.QueryParams(tuple(forms.flat(params)))))

    def post(self, path: str, **params: Any) -> Json:
        """Write."""
        return self._answer(self._client.post(self.url + path, data=dict(forms.flat(params))))

    def do(self, action: str, **asked: Any) -> Json:
        """One of engine.py's own actions."""
        return self._answer(self._client.post(f"{self.url}/stand_in/{action}", json=asked))

    def _answer(self, response: httpx.Response) -> Json:
        body: Json = response.json()
        if response.is_error:
            raise Refused(response.status_code, body)
        return body
