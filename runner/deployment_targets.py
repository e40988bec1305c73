"""Where a deployment's predictions go: what the hot path needs to know of it, cached for seconds in each process.

A change tells every web process to forget. The instances of the release before linger longer than the cache lives, so
what a late process still sends them is answered.  Source: replicate-api.md 2.3, 2.9.
"""

import time
from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Lower

from accounts.access import Caller
from marketplace.lib import wakeups
from marketplace.lib.problems import NotFound, Problem
from runner.models import Deployment

CACHE_SECONDS = 3.0
_CACHE_LIMIT = 5_000
_cache: dict[str, tuple[float, "DeploymentTarget"]] = {}  # `owner/name` → when to forget it


class DeploymentDisabled(Problem):
    """Its maximum is no instances.  Source: replicate-api.md 2.3."""

    status = 422
    title = "Deployment disabled"

    def __init__(self) -> None:
        super().__init__("This deployment has no instances")


@dataclass(frozen=True, slots=True)
class DeploymentTarget:
    """What a prediction of the deployment runs on: its serving release."""

    deployment_id: int
    account_id: int
    full_name: str  # `owner/name`
    version_id: str
    hardware: str
    max_instances: int


def find_target(caller: Caller, owner: str, name: str) -> DeploymentTarget:
    """The caller's deployment `owner/name`. Raises NotFound, for other people's too, and DeploymentDisabled."""
    key = f"{owner}/{name}".lower()
    hit = _cache.get(key)
    target = hit[1] if hit and hit[0] > time.monotonic() else _load(key)
    if not caller.owns(target.account_id):
        raise NotFound
    if target.max_instances == 0:
        raise DeploymentDisabled
    return target


def forget() -> None:
    """Drop what this process has cached."""
    _cache.clear()


def changed() -> None:
    """Once the transaction has committed: every process forgets, and the runners look for what to start and stop."""
    transaction.on_commit(forget)
    wakeups.send_after_commit(wakeups.WEB, {"type": "deployments_changed"})
    wakeups.send_after_commit(wakeups.RUNNERS, {"type": "deployments_changed"})


def _load(key: str) -> DeploymentTarget:
    owner, _, name = key.partition("/")
    rows = Deployment.objects.alias(owner_key=Lower("account__username"), name_key=Lower("name"))
    found = rows.filter(owner_key=owner, name_key=name).select_related("account", "serving_release").first()
    if found is None or found.serving_release is None:
        raise NotFound
    release = found.serving_release
    target = DeploymentTarget(
        found.pk, found.account_id, found.full_name, release.version_id, release.hardware, release.max_instances
    )
    if len(_cache) >= _CACHE_LIMIT:
        _cache.clear()
    _cache[key] = (time.monotonic() + CACHE_SECONDS, target)
    return target
