"""Deployments: create, change, roll back, delete. What then starts and stops is `rollouts`' and the engine's.

A change is a new release. It serves at once where nothing would be lost by it; else the release before serves until
the new one's instances are up.  Source: replicate-api.md 2.9.
"""

import datetime
from dataclasses import dataclass, replace

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.access import Caller
from marketplace.lib.problems import Conflict, FieldError, NotFound, ValidationFailed
from models_catalog import lookup
from models_catalog.models import Model, Version
from runner import deployment_targets, event_log
from runner.deployment_fields import NewDeployment, ReleaseChanges, bound_mistakes
from runner.event_log import NewEvent
from runner.models import Deployment, Instance, Prediction, Release
from runner.states import INSTANCE_ENDED

UNUSED_FOR = datetime.timedelta(minutes=15)  # before a deployment may be deleted
_LONGEST_RUN = datetime.timedelta(days=2)  # no prediction lives longer
_NO_MODEL = "The specified model does not exist (or perhaps you don't have permission to use it?)"
_NO_VERSION = "The specified version does not exist, or is not one of this model's that can run."


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a release says."""

    version_id: str
    hardware: str
    min_instances: int
    max_instances: int

    @classmethod
    def of(cls, release: Release) -> "Configuration":
        """That of a release."""
        return cls(release.version_id, release.hardware, release.min_instances, release.max_instances)


def create(caller: Caller, new: NewDeployment) -> Deployment:
    """A deployment with its first release. Raises ValidationFailed (model, version), Conflict (name taken)."""
    version = _version(caller, _model(caller, new.model), new.version)
    configuration = Configuration(version.pk, new.hardware, new.min_instances, new.max_instances)
    try:
        with transaction.atomic():
            deployment = Deployment.objects.create(account_id=caller.account_id, name=new.name)
            _add_release(caller, deployment, configuration, event="deployment.created")
    except IntegrityError as error:
        raise Conflict("A deployment with that name already exists.") from error
    return get_deployment(caller, caller.username, new.name)


def list_deployments(caller: Caller) -> QuerySet[Deployment]:
    """The account's, with what documents show of them."""
    return _own(caller).select_related(
        "account",
        "serving_release",
        "current_release__version__model__account",
        "current_release__created_by__account",
    )


def get_deployment(caller: Caller, owner: str, name: str) -> Deployment:
    """One of the caller's, in any case. Raises NotFound, for other people's too."""
    found = _named(list_deployments(caller), owner, name).first()
    if found is None:
        raise NotFound
    return found


def list_releases(deployment: Deployment) -> QuerySet[Release]:
    """All releases, with what documents show of them."""
    return deployment.releases.select_related("version__model__account", "created_by__account")


def update(caller: Caller, owner: str, name: str, changes: ReleaseChanges) -> Deployment:
    """A new release, if a value changes. Raises NotFound, ValidationFailed."""
    with transaction.atomic():
        deployment = _locked(caller, owner, name)
        now = deployment.current_release
        assert now is not None  # every deployment that others see has one
        _add_release(caller, deployment, _changed(caller, now, changes), event="deployment.updated")
    return get_deployment(caller, owner, name)


def roll_back(caller: Caller, owner: str, name: str, number: int | None = None) -> Deployment:
    """A new release with an earlier one's configuration: that one's, or the one's before the current.

    Raises NotFound, Conflict (there is none before, its version was deleted), ValidationFailed (no such release).
    """
    with transaction.atomic():
        deployment = _locked(caller, owner, name)
        assert deployment.current_release is not None
        before = deployment.current_release.number - 1
        release = deployment.releases.filter(number=before if number is None else number).first()
        if release is None and number is None:
            raise Conflict("There is no earlier release to go back to.")
        if release is None:
            raise ValidationFailed([FieldError("/release", f"There is no release {number}.")])
        if Version.objects.filter(pk=release.version_id).exclude(deleted_at=None).exists():
            raise Conflict(f"The version of release {release.number} was deleted.")
        _add_release(caller, deployment, Configuration.of(release), event="deployment.updated", back_to=release.number)
    return get_deployment(caller, owner, name)


def delete(caller: Caller, owner: str, name: str, *, now: datetime.datetime | None = None) -> None:
    """Remove it; its predictions stay. Raises NotFound, and Conflict while it is in use.

    One that never got a prediction may go at any time, and its instances with it.  Source: replicate-api.md 2.9.
    """
    with transaction.atomic():
        deployment = _locked(caller, owner, name)
        if _is_in_use(deployment, now or timezone.now()):
            raise Conflict(
                "A deployment can be deleted once it has been offline and unused for 15 minutes: set its minimum and "
                "maximum of instances to 0, and wait."
            )
        event_log.record_many([_event(deployment, "deployment.deleted", by=caller.username)])
        Deployment.objects.filter(pk=deployment.pk).update(current_release=None, serving_release=None)
        deployment.delete()
        deployment_targets.changed()


def is_version_deployed(version_id: str) -> bool:
    """Does a release that is current or serves run it?"""
    in_use = Q(current_release__version=version_id) | Q(serving_release__version=version_id)
    return Deployment.objects.filter(in_use).exists()


def _own(caller: Caller) -> QuerySet[Deployment]:
    return Deployment.objects.filter(account_id=caller.account_id)


def _named(rows: QuerySet[Deployment], owner: str, name: str) -> QuerySet[Deployment]:
    keys = rows.alias(owner_key=Lower("account__username"), name_key=Lower("name"))
    return keys.filter(owner_key=owner.lower(), name_key=name.lower())


def _locked(caller: Caller, owner: str, name: str) -> Deployment:
    rows = _own(caller).select_related("account", "current_release__version__model__account", "serving_release")
    found = _named(rows.select_for_update(of=("self",)), owner, name).first()
    if found is None:
        raise NotFound
    return found


def _model(caller: Caller, reference: str) -> Model:
    owner, _, name = reference.partition("/")
    try:
        model = lookup.get_model(caller, owner, name)
    except NotFound as error:
        raise ValidationFailed([FieldError("/model", _NO_MODEL)]) from error
    if model.is_hidden:
        raise ValidationFailed([FieldError("/model", "This model was taken down.")])
    return model


def _version(caller: Caller, model: Model, reference: str) -> Version:
    """reference: an id, or `owner/name:id`."""
    name, has_name, version_id = reference.rpartition(":")
    try:
        if has_name and name.lower() != model.full_name.lower():
            raise NotFound
        return lookup.get_version(caller, model, version_id)
    except NotFound as error:
        raise ValidationFailed([FieldError("/version", _NO_VERSION)]) from error


def _changed(caller: Caller, now: Release, changes: ReleaseChanges) -> Configuration:
    """The current configuration with the changes."""
    model_name = now.version.model.full_name
    if changes.model is not None and changes.model.lower() != model_name.lower():
        raise ValidationFailed([FieldError("/model", f"A deployment stays with its model, which is {model_name}.")])
    wanted = Configuration.of(now)
    if changes.version is not None:
        version_id = changes.version.rpartition(":")[2].lower()
        if version_id != now.version_id or ":" in changes.version:
            version_id = _version(caller, _model(caller, model_name), changes.version).pk
        wanted = replace(wanted, version_id=version_id)
    given = {
        name: value
        for name in ("hardware", "min_instances", "max_instances")
        if (value := getattr(changes, name)) is not None
    }
    wanted = replace(wanted, **given)
    if errors := bound_mistakes(wanted.min_instances, wanted.max_instances):
        raise ValidationFailed(errors)
    return wanted


def _add_release(caller: Caller, deployment: Deployment, wanted: Configuration, *, event: str, **told: object) -> None:
    """Write the release if it says something new. deployment: locked, or made in this transaction."""
    now = deployment.current_release
    if now is not None and Configuration.of(now) == wanted:
        return
    release = Release.objects.create(
        deployment=deployment,
        number=now.number + 1 if now else 1,
        version_id=wanted.version_id,
        hardware=wanted.hardware,
        min_instances=wanted.min_instances,
        max_instances=wanted.max_instances,
        created_by_id=caller.user_id,
    )
    deployment.current_release = release
    if _serves_at_once(deployment.serving_release, release):
        deployment.serving_release = release
    deployment.save(update_fields=["current_release", "serving_release"])
    details = {"release": release.number, "version": wanted.version_id, "hardware": wanted.hardware}
    bounds = {"min_instances": wanted.min_instances, "max_instances": wanted.max_instances}
    event_log.record_many([_event(deployment, event, by=caller.username, **details, **bounds, **told)])
    deployment_targets.changed()


def _serves_at_once(serving: Release | None, release: Release) -> bool:
    """Would waiting for the new release's instances gain nothing?"""
    if serving is None or serving.pool == release.pool or 0 in (serving.max_instances, release.max_instances):
        return True
    running = Instance.objects.exclude(state__in=INSTANCE_ENDED).filter(
        deployment_id=serving.deployment_id, version_id=serving.version_id, hardware_id=serving.hardware
    )
    return not running.exists()


def _is_in_use(deployment: Deployment, now: datetime.datetime) -> bool:
    since = now - UNUSED_FOR
    ran = Prediction.objects.filter(deployment=deployment)
    if not ran.exists():
        return False
    lately = Q(created_at__gt=since) | Q(completed_at__gt=since) | Q(completed_at=None)
    online = ~Q(state__in=INSTANCE_ENDED) | Q(stopped_at__gt=since)
    return (
        ran.filter(lately, created_at__gt=now - _LONGEST_RUN).exists()
        or deployment.instances.filter(online, created_at__lte=now).exists()
    )


def _event(deployment: Deployment, what: str, **data: object) -> NewEvent:
    return NewEvent(deployment.account_id, what, f"deployment/{deployment.full_name}", dict(data))
