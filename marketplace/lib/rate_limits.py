"""Token buckets that all web processes share: in Redis, moved by one atomic script, never by two commands.

A process that is asked often draws tokens in blocks and hands them out itself, so that most requests cost no round
trip; what it draws is gone from the bucket, so together the processes can't exceed the limit. Near the bottom blocks
shrink to one token, and what was not used within a second is given back. Without Redis everything is let through.
Source: replicate-api.md 1.9.
"""

import asyncio
import math
import time
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
import structlog
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

log = structlog.get_logger(__name__)

_SCRIPT = """
local burst, per_ms, wanted, back = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local was = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(was[1] or burst)
tokens = math.min(burst, tokens + back + math.max(0, now - tonumber(was[2] or now)) * per_ms)
local granted = math.min(wanted, math.max(1, math.floor(tokens / 4)), math.floor(tokens))
tokens = tokens - granted
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%d', now))
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - tokens) / per_ms) + 1000)
return {granted, string.format('%.6f', tokens)}
"""
_LARGEST_BLOCK = 50
_BLOCK_SECONDS = 1.0
_ANSWER_SECONDS = 0.5
_REST_SECONDS = 1.0  # after a failure nobody asks for so long: each try would cost its caller time
_REFUSAL_SECONDS = 0.05  # a flood is refused from memory meanwhile
_MOST_KEYS = 10_000


@dataclass(frozen=True, slots=True)
class Limit:
    """Tokens that come back in a minute, and how many the bucket holds; both at least 1."""

    per_minute: int
    burst: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """May the request go on? remaining: whole tokens left.

    reset_seconds, at least 1: until the bucket is full, or, of a refusal, until the next request is let through.
    """

    is_allowed: bool
    remaining: int
    reset_seconds: int


@dataclass(slots=True)
class _Block:
    """What this process has drawn from one bucket. shared: tokens that were in the bucket then."""

    left: int = 0
    size: int = 0
    shared: float = 0.0
    until: float = 0.0  # of time.monotonic()
    refused_until: float = 0.0
    waiting: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Buckets:
    """The buckets as one event loop sees them."""

    def __init__(self, url: str) -> None:
        client = redis.asyncio.Redis.from_url(
            url,
            protocol=settings.REDIS_PROTOCOL,
            socket_timeout=_ANSWER_SECONDS,
            socket_connect_timeout=_ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 1),
        )
        self._draw: Any = client.register_script(_SCRIPT)
        self._blocks: dict[str, _Block] = {}
        self._resting_until = 0.0
        self._is_away = False

    async def take(self, key: str, limit: Limit) -> Verdict:
        """Take one token of the bucket."""
        block = self._block(key)
        if (verdict := self._from_memory(block, limit)) is not None:
            return verdict
        block.waiting += 1
        try:
            async with block.lock:
                if (verdict := self._from_memory(block, limit)) is not None:
                    return verdict
                return await self._from_redis(key, block, limit)
        finally:
            block.waiting -= 1

    def _block(self, key: str) -> _Block:
        if key not in self._blocks and len(self._blocks) >= _MOST_KEYS:
            self._blocks.clear()
        return self._blocks.setdefault(key, _Block())

    def _from_memory(self, block: _Block, limit: Limit) -> Verdict | None:
        now = time.monotonic()
        if now < self._resting_until:
            return Verdict(True, limit.burst, 1)
        if block.left and now < block.until:
            block.left -= 1
            return _allowed(block.shared + block.left, limit)
        return _refused(block.shared, limit) if now < block.refused_until else None

    async def _from_redis(self, key: str, block: _Block, limit: Limit) -> Verdict:
        now = time.monotonic()
        largest = min(_LARGEST_BLOCK, max(1, limit.burst // 20))
        was_quick = now < block.until  # the last block lasted less than its time
        wanted = min(largest, max(block.waiting, 2 * block.size if was_quick else 1))
        back, block.left = block.left, 0
        arguments = [limit.burst, limit.per_minute / 60_000, wanted, back]
        try:
            granted, shared = await self._draw(keys=[f"modelyard.rate.{key}"], args=arguments)
        except (redis.RedisError, OSError) as error:
            return self._without_redis(error, limit)
        if self._is_away:
            self._is_away = False
            log.info("rate_limits_back")
        block.shared = float(shared)
        if not granted:
            block.refused_until = now + _REFUSAL_SECONDS
            return _refused(block.shared, limit)
        block.left, block.size, block.until = granted - 1, granted, now + _BLOCK_SECONDS
        return _allowed(block.shared + block.left, limit)

    def _without_redis(self, error: Exception, limit: Limit) -> Verdict:
        """A limit protects; it must not be what brings the site down."""
        if not self._is_away:
            self._is_away = True
            log.warning("rate_limits_not_held", error=str(error))
        self._resting_until = time.monotonic() + _REST_SECONDS
        return Verdict(True, limit.burst, 1)


def _allowed(tokens: float, limit: Limit) -> Verdict:
    return Verdict(True, math.floor(tokens), _seconds(limit.burst - tokens, limit))


def _refused(tokens: float, limit: Limit) -> Verdict:
    return Verdict(False, 0, _seconds(1 - tokens, limit))


def _seconds(tokens: float, limit: Limit) -> int:
    return max(1, math.ceil(tokens * 60 / limit.per_minute))


_buckets: WeakKeyDictionary[asyncio.AbstractEventLoop, Buckets] = WeakKeyDictionary()


async def take(key: str, limit: Limit) -> Verdict:
    """Take one token of the bucket `key`."""
    loop = asyncio.get_running_loop()
    if loop not in _buckets:
        _buckets[loop] = Buckets(settings.REDIS_URL)
    return await _buckets[loop].take(key, limit)
