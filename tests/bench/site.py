"""The platform as in production: all its processes, a durable database, models built and sandboxed by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.bench.load import Call
from tests.plugins.live_site import HIGH_LIMITS, LiveSite

_SESSION = """
from django.test import Client
from accounts.models import User
browser = Client()
browser.force_login(User.objects.get(username="nina"))
print(browser.cookies["sessionid"].value)
"""


@dataclass
class BenchSite:
    """What is asked of it, ready to be repeated."""

    live: LiveSite
    cookie: str

    def echo(self) -> Call:
        """The official way: create and wait for the end."""
        body: dict[str, Any] = {"version": self.live.publish("echo"), "input": {"text": "hello"}}
        return self._call(body, {"Prefer": "wait"}, expects='"succeeded"')

    def stream(self, chunks: int, follow: str) -> Call:
        """Create, then follow by `sse` as API clients do, or by `websocket` as pages do."""
        body: dict[str, Any] = {"version": self.live.publish("stream"), "input": {"count": chunks, "log_every": 0}}
        return self._call(body, {}, follow=follow, cookie=self.cookie)

    def _call(self, body: dict[str, Any], headers: dict[str, str], **how: str) -> Call:
        url = f"{self.live.base_url.replace('localhost', '127.0.0.1')}/v1/predictions"
        return Call(url, body, {"Authorization": f"Bearer {self.live.token}", **headers}, **how)


@contextmanager
def serving() -> Iterator[BenchSite]:
    """As long as the block runs."""
    with LiveSite.started(EGRESS_ALLOW_PRIVATE="0", **HIGH_LIMITS) as live:
        cookie = f"sessionid={live.run_python(_SESSION).strip().splitlines()[-1]}"
        yield BenchSite(live, cookie)
