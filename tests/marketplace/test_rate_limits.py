"""Token buckets: never more than the limit whoever asks, all of it for one who asks; open when Redis is away."""

import asyncio
import time
from typing import Any

import pytest
from django.conf import settings

from marketplace.lib import rate_limits
from marketplace.lib.ids import new_id
from marketplace.lib.rate_limits import Buckets, Limit

pytestmark = pytest.mark.asyncio
SLOW = Limit(per_minute=1, burst=5)  # a token a minute: none comes back while a test runs


async def take(buckets: Buckets, key: str, count: int, limit: Limit) -> list[rate_limits.Verdict]:
    return [await buckets.take(key, limit) for _ in range(count)]


async def test_a_burst_is_let_through_and_counted_down_then_refused() -> None:
    verdicts = await take(Buckets(settings.REDIS_URL), new_id(), 7, SLOW)
    assert [verdict.is_allowed for verdict in verdicts] == [True] * 5 + [False] * 2
    assert [verdict.remaining for verdict in verdicts] == [4, 3, 2, 1, 0, 0, 0]


async def test_the_time_until_full_is_told_and_of_a_refusal_the_time_until_the_next() -> None:
    verdicts = await take(Buckets(settings.REDIS_URL), new_id(), 6, SLOW)
    assert [verdict.reset_seconds for verdict in verdicts] == [60, 120, 180, 240, 300, 60]


async def test_tokens_come_back_at_the_rate() -> None:
    key, limit = new_id(), Limit(per_minute=600, burst=2)
    buckets = Buckets(settings.REDIS_URL)
    until = time.monotonic() + 1.05
    allowed = 0
    while time.monotonic() < until:
        allowed += (await buckets.take(key, limit)).is_allowed
    assert 8 <= allowed <= 2 + 11


async def test_keys_do_not_touch_each_other() -> None:
    buckets = Buckets(settings.REDIS_URL)
    await take(buckets, new_id(), 6, SLOW)
    assert (await buckets.take(new_id(), SLOW)).is_allowed


@pytest.mark.parametrize("burst", [1, 7, 200, 1000])
async def test_several_processes_together_let_no_more_through(burst: int) -> None:
    key, limit = new_id(), Limit(per_minute=1, burst=burst)
    processes = [Buckets(settings.REDIS_URL) for _ in range(3)]
    asked = [buckets.take(key, limit) for _ in range(burst) for buckets in processes]
    verdicts = await asyncio.gather(*asked)
    assert sum(verdict.is_allowed for verdict in verdicts) <= burst


async def test_one_process_can_use_all_of_it() -> None:
    key, limit = new_id(), Limit(per_minute=1, burst=1000)
    buckets = Buckets(settings.REDIS_URL)
    verdicts = [
        *await take(buckets, key, 500, limit),
        *await asyncio.gather(*(buckets.take(key, limit) for _ in range(600))),
    ]
    assert sum(verdict.is_allowed for verdict in verdicts) == 1000


async def test_who_asks_often_costs_few_round_trips(monkeypatch: pytest.MonkeyPatch) -> None:
    buckets = Buckets(settings.REDIS_URL)
    draws = 0
    draw = buckets._draw

    async def counted(**arguments: Any) -> Any:
        nonlocal draws
        draws += 1
        return await draw(**arguments)

    monkeypatch.setattr(buckets, "_draw", counted)
    await take(buckets, new_id(), 500, Limit(per_minute=60_000, burst=60_000))
    assert draws < 20


async def test_what_a_process_drew_and_did_not_use_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "_BLOCK_SECONDS", 0.2)
    key, limit = new_id(), Limit(per_minute=1, burst=200)
    buckets = Buckets(settings.REDIS_URL)
    await take(buckets, key, 10, limit)
    assert buckets._blocks[key].left > 0
    buckets._blocks[key].until = 0.0
    verdict = await buckets.take(key, limit)
    assert verdict.remaining == 189
    assert buckets._blocks[key].left == 0


async def test_without_redis_everything_is_let_through_at_once_and_told_once(caplog: Any) -> None:
    buckets = Buckets("redis://127.0.0.1:1/0")
    began = time.monotonic()
    verdicts = await take(buckets, "key", 50, SLOW)
    assert all(verdict.is_allowed for verdict in verdicts)
    assert time.monotonic() - began < 1
    assert caplog.text.count("rate_limits_not_held") <= 1
