"""What a caller may see: the only place that knows visibility. Absent and invisible things look alike.

`None` as a caller is a visitor who is not signed in.
"""

import re
import time
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from accounts.access import Caller
from marketplace.lib import wakeups
from marketplace.lib.problems import NotFound
from models_catalog.models import Model, Version

_CACHE_SECONDS = 3.0
_CACHE_LIMIT = 5_000
_VERSION_ID = re.compile(r"[0-9a-f]{64}")
_facts_cache: dict[str, tuple[float, "VersionFacts"]] = {}
_official_cache: dict[str, tuple[float, str]] = {}  # `owner/name` → when to forget it, version id


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What creating a prediction needs to know of a version; cached for seconds in each process."""

    version_id: str
    model_id: int
    model_name: str  # `owner/name`
    account_id: int
    is_public: bool  # the model, and this version of it
    is_hidden: bool  # the model, or the one whose code a trained version runs
    is_official: bool
    is_ready: bool
    hardware: str
    schema: dict[str, Any]


def visible_models(caller: Caller | None) -> QuerySet[Model]:
    """All models the caller may see: public ones that are not hidden, and the caller's own. Deleted ones are gone."""
    everybody = Q(visibility=Model.Visibility.PUBLIC, hidden_at=None, account__suspended_at=None)
    mine = Q(account_id=caller.account_id) if caller else Q(pk__in=[])
    return Model.objects.filter(everybody | mine, deleted_at=None).select_related("account", "latest_version")


def public_models() -> QuerySet[Model]:
    """Models everybody may see and that can be run: what lists and search show."""
    return visible_models(None).exclude(latest_version=None)


def get_model(caller: Caller | None, owner: str, name: str) -> Model:
    """The model `owner/name`, in any case. Raises NotFound."""
    model = _named(visible_models(caller), owner, name).first()
    if model is None:
        raise NotFound()
    return model


def _named(models: QuerySet[Model], owner: str, name: str) -> QuerySet[Model]:
    """In any case, by the indices on lower case (`iexact` would compare upper case, which has none)."""
    keys = models.alias(owner_key=Lower("account__username"), name_key=Lower("name"))
    return keys.filter(owner_key=owner.lower(), name_key=name.lower())


def visible_versions(caller: Caller | None) -> QuerySet[Version]:
    """Versions of all models the caller may see, built or not: private ones for their model's owner alone."""
    shared = Q(is_private=False)
    mine = Q(model__account_id=caller.account_id) if caller else Q(pk__in=[])
    return Version.objects.filter(shared | mine, model__in=visible_models(caller), deleted_at=None)


def list_versions(caller: Caller | None, model: Model) -> QuerySet[Version]:
    """The versions of a model that can run and that the caller may see, newest first."""
    return visible_versions(caller).filter(model=model, status=Version.Status.READY).order_by("-created_at")


def get_version(caller: Caller | None, model: Model, version_id: str) -> Version:
    """One version that can run, of this model. Raises NotFound."""
    version = list_versions(caller, model).filter(pk=version_id.lower()).first()
    if version is None:
        raise NotFound()
    return version


def newest_version(model: Model) -> Version | None:
    """What the model runs when no version is named: the newest that can run and that all who see the model may see."""
    versions = model.versions.filter(status=Version.Status.READY, deleted_at=None).order_by("-created_at")
    if model.visibility == Model.Visibility.PUBLIC:
        versions = versions.filter(is_private=False)
    return versions.first()


def find_facts(caller: Caller, version_id: str) -> VersionFacts | None:
    """What creating a prediction of this version needs, if the caller may run it."""
    facts = find_cached_facts(version_id) or _load_facts(version_id.lower())
    return facts if facts and may_run(caller, facts) else None


def find_official_facts(caller: Caller, owner: str, name: str) -> VersionFacts | None:
    """As `find_facts`, for the newest version of an official model; None for models that are not official."""
    key = f"{owner}/{name}".lower()
    hit = _official_cache.get(key)
    if hit is None or hit[0] <= time.monotonic():
        model = _named(Model.objects.filter(is_official=True, deleted_at=None), owner, name).first()
        if model is None or model.latest_version_id is None:
            return None
        hit = _official_cache[key] = (time.monotonic() + _CACHE_SECONDS, model.latest_version_id)
    return find_facts(caller, hit[1])


def may_run(caller: Caller, facts: VersionFacts) -> bool:
    """May the caller run it? Nobody runs a hidden one."""
    return facts.is_ready and not facts.is_hidden and (facts.is_public or caller.owns(facts.account_id))


def find_cached_facts(version_id: str) -> VersionFacts | None:
    """Facts that this process read within the last seconds."""
    hit = _facts_cache.get(version_id.lower())
    return hit[1] if hit and hit[0] > time.monotonic() else None


def forget_facts() -> None:
    """Drop this process's cached facts, after something was hidden or changed."""
    _facts_cache.clear()
    _official_cache.clear()


def forget_facts_everywhere() -> None:
    """`forget_facts` after commit, here and in every web process."""
    transaction.on_commit(forget_facts)
    wakeups.send_after_commit(wakeups.WEB, {"type": "models_changed"})


def _load_facts(version_id: str) -> VersionFacts | None:
    if not _VERSION_ID.fullmatch(version_id):
        return None
    versions = Version.objects.select_related("model__account", "base__model__account")
    version = versions.filter(pk=version_id, deleted_at=None).first()
    if version is None:
        return None
    model = version.model
    is_hidden = any(one.is_hidden or one.account.is_suspended for one in (model, version.code_model))
    facts = VersionFacts(
        version_id=version.pk,
        model_id=model.pk,
        model_name=model.full_name,
        account_id=model.account_id,
        is_public=model.visibility == Model.Visibility.PUBLIC and not version.is_private,
        is_hidden=is_hidden,
        is_official=model.is_official,
        is_ready=version.is_ready,
        hardware=model.hardware,
        schema=version.openapi_schema,
    )
    if len(_facts_cache) >= _CACHE_LIMIT:
        _facts_cache.clear()
    _facts_cache[version_id] = (time.monotonic() + _CACHE_SECONDS, facts)
    return facts
