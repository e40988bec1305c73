"""Hosts: register, keep alive, cordon, and what becomes of a lost one."""

import datetime
import os

from django.conf import settings
from django.utils import timezone

from accounts import audit
from accounts.models import User
from runner.models import Host
from runner.placement import Size

LOST_AFTER = datetime.timedelta(seconds=30)
# Idle models use no processor time and most wait for work: an unconfigured host takes this many times its cores.
_OVERCOMMIT = 4


def capacity() -> Size:
    """What this machine offers: as configured, else its cores (overcommitted) and four fifths of its memory."""
    cores = os.cpu_count() or 1
    cpu_millis = settings.HOST_CPUS * 1000 or cores * 1000 * _OVERCOMMIT
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Size(cpu_millis, settings.HOST_MEMORY_BYTES or physical * 4 // 5)


def register(name: str, *, backend: str, size: Size, notes: str) -> tuple[Host, float]:
    """The row of the host a runner looks after, and for how many seconds nobody did.

    A cordon outlives the runner's restart.
    """
    before = Host.objects.filter(name=name).values_list("last_seen_at", flat=True).first()
    away_seconds = (timezone.now() - before).total_seconds() if before else 0.0
    host, _ = Host.objects.update_or_create(
        name=name,
        defaults={
            "backend": backend,
            "cpu_millis": size.cpu_millis,
            "memory_bytes": size.memory_bytes,
            "gpus": size.gpus,
            "notes": notes,
            "last_seen_at": timezone.now(),
        },
    )
    Host.objects.filter(pk=host.pk, status=Host.Status.LOST).update(status=Host.Status.ONLINE)
    host.refresh_from_db()
    return host, away_seconds


def note_alive(host_id: int) -> bool:
    """Heartbeat. Returns whether the host takes new instances."""
    Host.objects.filter(pk=host_id).update(last_seen_at=timezone.now())
    Host.objects.filter(pk=host_id, status=Host.Status.LOST).update(status=Host.Status.ONLINE)
    return Host.objects.filter(pk=host_id, status=Host.Status.ONLINE).exists()


def mark_lost_hosts() -> list[int]:
    """Hosts whose runner has been silent for too long become `lost`; their ids, earlier lost ones included."""
    Host.objects.filter(last_seen_at__lt=timezone.now() - LOST_AFTER).update(status=Host.Status.LOST)
    return list(Host.objects.filter(status=Host.Status.LOST).values_list("pk", flat=True))


def set_cordon(actor: User, host: Host, *, is_cordoned: bool, reason: str) -> None:
    """Let a host take no new instances, or take them again. Audited."""
    status = Host.Status.CORDONED if is_cordoned else Host.Status.ONLINE
    if Host.objects.filter(pk=host.pk).exclude(status=status).update(status=status):
        audit.record(actor, "cordon" if is_cordoned else "uncordon", f"host/{host.name}", reason=reason)
