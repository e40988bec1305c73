"""Where an instance may go, and what has to make room for it. Pure: facts in, answer out."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """What an instance takes of a host, or what a host has."""

    cpu_millis: int
    memory_bytes: int
    gpus: int = 0

    def holds(self, need: "Size") -> bool:
        """Is there room for it?"""
        return need.cpu_millis <= self.cpu_millis and need.memory_bytes <= self.memory_bytes and need.gpus <= self.gpus

    def plus(self, more: "Size") -> "Size":
        """Both together."""
        return Size(self.cpu_millis + more.cpu_millis, self.memory_bytes + more.memory_bytes, self.gpus + more.gpus)

    def minus(self, used: "Size") -> "Size":
        """What is left."""
        return Size(self.cpu_millis - used.cpu_millis, self.memory_bytes - used.memory_bytes, self.gpus - used.gpus)


@dataclass(frozen=True, slots=True)
class Tenant:
    """An instance on the host. idle_since: seconds of a monotonic clock, None while it works or starts."""

    instance_id: str
    size: Size
    idle_since: float | None


@dataclass(frozen=True, slots=True)
class Place:
    """Start here, after stopping `evict` (may be empty)."""

    evict: tuple[str, ...]


def find_place(capacity: Size, tenants: Sequence[Tenant], need: Size) -> Place | None:
    """Room on one host, evicting the least recently used idle instances if that suffices; None if not now."""
    free = capacity
    for tenant in tenants:
        free = free.minus(tenant.size)
    evict: list[str] = []
    idle = sorted((t for t in tenants if t.idle_since is not None), key=lambda t: t.idle_since or 0)
    while not free.holds(need):
        if not idle:
            return None
        tenant = idle.pop(0)
        evict.append(tenant.instance_id)
        free = free.plus(tenant.size)
    return Place(tuple(evict))
