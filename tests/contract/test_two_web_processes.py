"""Rate limits hold at two web processes at once: real ones, on the same database and Redis."""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.plugins.live_site import ROOT, LiveSite, free_port, until

pytestmark = pytest.mark.contract
_LIMIT = 600  # a minute, and in one burst
_ASKED_OF_EACH = 900


@pytest.fixture
def second_process(live_site: LiveSite) -> Iterator[str]:
    """The address of a further web process of the site."""
    port = free_port()
    words = ["-m", "uvicorn", "marketplace.asgi:application", "--port", str(port), "--log-level=warning"]
    process = subprocess.Popen([sys.executable, *words], cwd=ROOT, env=live_site.environment)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in until(30):
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{url}/health", timeout=5)
                break
        yield url
    finally:
        process.terminate()
        process.wait(20)


def test_two_web_processes_together_let_through_no_more_than_the_limit(
    live_site: LiveSite, second_process: str
) -> None:
    token = live_site.new_account("burst")

    async def statuses_of(base_url: str) -> list[int]:
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=base_url, headers=headers, timeout=60) as client:
            slots = asyncio.Semaphore(16)

            async def ask() -> int:
                async with slots:  # a broken body is counted like a good one, and creates nothing
                    return (await client.post("/v1/predictions", content=b"{")).status_code

            return await asyncio.gather(*(ask() for _ in range(_ASKED_OF_EACH)))

    async def both() -> tuple[list[int], list[int]]:
        return await asyncio.gather(statuses_of(live_site.base_url), statuses_of(second_process))

    began = time.monotonic()
    here, there = asyncio.run(both())
    seconds = time.monotonic() - began
    assert set(here + there) == {400, 429}
    accepted = (here + there).count(400)
    assert accepted <= _LIMIT + seconds * _LIMIT / 60 + 1, f"{accepted} in {seconds:.1f} s"
    assert accepted >= _LIMIT * 0.9, f"{accepted} in {seconds:.1f} s"
    assert min(here.count(400), there.count(400)) > _LIMIT / 10, "each got its part"
