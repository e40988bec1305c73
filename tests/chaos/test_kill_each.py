"""Whatever is killed with 200 predictions under way, each of them ends exactly once and nothing is left behind.

The processes are real, `manage.py serve` restarts them, and everything is driven and judged from outside.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.chaos.clients import CHUNKS, Clients, Told
from tests.chaos.inspection import instance_pids, kill, query
from tests.chaos.receiver import Receiver, receiving
from tests.plugins.live_site import HIGH_LIMITS, LiveSite

pytestmark = pytest.mark.chaos
Row = dict[str, Any]
_COUNT = 200
_SETTLED_SECONDS = 90.0
_WEBHOOK_SECONDS = 45.0  # a delivery that died with its worker is due again after 15 s, and found by a sweep
_IDLE_SECONDS = 30.0
_MODELS = ("echo", "stream", "slow")
_WORDS = [f"word{number} " for number in range(CHUNKS)]
_ENDED = ("succeeded", "failed", "canceled", "aborted")


@pytest.fixture(scope="module")
def site() -> Iterator[LiveSite]:
    """A site of its own: it suffers."""
    with LiveSite.started(IDLE_STOP_SECONDS="2", **HIGH_LIMITS) as site:
        for model in _MODELS:
            site.publish(model)
        yield site
        print(site.log()[-30_000:])  # pytest shows it where something failed


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Where webhooks go."""
    with receiving() as receiver:
        yield receiver


def kill_instances(site: LiveSite) -> None:
    """Of one model the oldest process (sandbox or server), of another the newest: the worker with the model's code."""
    for model, choose in (("echo", min), ("stream", max)):
        os.kill(choose(instance_pids(site)[_instance_that_is_up(site, model)]), signal.SIGKILL)


def _instance_that_is_up(site: LiveSite, model: str) -> str:
    up = "SELECT id FROM runner_instance WHERE version_id = %s AND ready_at IS NOT NULL AND stopped_at IS NULL"
    return str(query(site, up, site.publish(model))[0]["id"])


def _kill(name: str) -> Callable[[LiveSite], object]:
    return lambda site: kill(site, name)


_PROCESSES = ("runner", "web", "worker", "deliveries", "valkey", "postgres")
VICTIMS = {name: _kill(name) for name in _PROCESSES} | {"instances": kill_instances}


@pytest.mark.parametrize("victim", VICTIMS)
async def test_each_of_200_predictions_ends_once_whatever_dies(site: LiveSite, receiver: Receiver, victim: str) -> None:
    earlier = _count(site)
    clients = Clients(site, {model: site.publish(model) for model in _MODELS}, receiver.url)
    async with asyncio.timeout(_SETTLED_SECONDS):
        running = asyncio.create_task(clients.run(_COUNT))
        await _until_under_way(site, clients, earlier)
        VICTIMS[victim](site)
        await running
        rows = await _settled(site)
    assert len(rows) - earlier >= _COUNT
    assert [told for told in clients.told if told.document["status"] != rows[told.document["id"]]["status"]] == []
    assert [_gist(row) for row in rows.values() if not _ended_well(row)] == []
    assert [told for told in clients.told if told.kind == "stream" and not _has_all_items(told)] == []
    assert _wrongly_billed(site) == []
    assert await _untold(receiver, rows) == set()
    assert await _left_behind(site) == []


async def _until_under_way(site: LiveSite, clients: Clients, earlier: int) -> None:
    """Each model works, something has ended and most has not."""
    facts = """SELECT count(*) FILTER (WHERE completed_at IS NOT NULL) AS ended,
                      count(DISTINCT version_id) FILTER (WHERE status = 'processing') AS busy FROM runner_prediction"""
    seen = {"ended": 0, "busy": 0}
    while seen["busy"] < len(_MODELS) or seen["ended"] < earlier + 20:
        await asyncio.sleep(0.1)
        seen = query(site, facts)[0]
    assert sum(told.document.get("status") not in _ENDED for told in clients.told) > _COUNT // 2


def _count(site: LiveSite) -> int:
    return len(query(site, "SELECT 1 FROM runner_prediction"))


async def _settled(site: LiveSite) -> dict[str, Row]:
    """All predictions by id, once none is under way: also those that no client knows."""
    while query(site, "SELECT 1 FROM runner_prediction WHERE status IN ('starting', 'processing')"):
        await asyncio.sleep(0.2)
    return {row["id"]: row for row in query(site, "SELECT * FROM runner_prediction")}


def _ended_well(row: Row) -> bool:
    """It succeeded with its whole output. Only a stream may have failed, as its reader may have seen a part of it."""
    if row["status"] == "succeeded":
        return bool(row["output"] == (_WORDS if row["is_streamed"] else row["input"].get("text", "worked 0.2 s")))
    return bool(row["status"] == "failed" and row["is_streamed"] and row["fault_class"] == "platform")


def _gist(row: Row) -> str:
    """What tells why a prediction ended as it did."""
    names = ("id", "status", "error", "fault_class", "tries", "output", "logs")
    return " ".join(f"{name}={str(row[name])[:300]!r}" for name in names)


def _has_all_items(told: Told) -> bool:
    """A reader got each item once, in order; of a failed prediction the first ones."""
    came = [told.items[index] for index in sorted(told.items)]
    return told.repeated == 0 and came == (_WORDS if told.document["status"] == "succeeded" else _WORDS[: len(came)])


def _wrongly_billed(site: LiveSite) -> list[Row]:
    """Predictions without their one record of usage, and failed ones that cost something."""
    return query(
        site,
        """
        SELECT p.id, p.status, count(u.id) AS records, sum(u.amount_nanos) AS nanos
          FROM runner_prediction p LEFT JOIN billing_usagerecord u ON u.subject = 'prediction/' || p.id
         GROUP BY p.id HAVING count(u.id) <> 1 OR (p.status = 'failed' AND sum(u.amount_nanos) > 0)
        """,
    )


async def _untold(receiver: Receiver, rows: dict[str, Row]) -> set[str]:
    """Predictions whose end was asked for by webhook and not told, after waiting for it."""
    asked = {row["id"] for row in rows.values() if row["webhook"]}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_WEBHOOK_SECONDS):
            while asked - set(receiver.completed):
                await asyncio.sleep(0.2)
    return asked - set(receiver.completed)


async def _left_behind(site: LiveSite) -> list[str]:
    """Once all have idled: instances that live by their row or by a process."""
    living = "SELECT id FROM runner_instance WHERE state NOT IN ('stopped', 'failed')"
    left: list[str] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_IDLE_SECONDS):
            while left := [row["id"] for row in query(site, living)] or [*instance_pids(site)]:
                await asyncio.sleep(0.3)
    return left
