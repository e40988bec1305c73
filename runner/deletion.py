"""Delete versions and models: out of sight at once, their data soon after.

A deleted row stays as a tombstone, because predictions and what they cost point to it. `remove_remains` removes what
users would call their data: predictions' inputs and outputs, the archive, and on each host the environment. A worker is
woken to do so; its sweep finds what a lost wake-up or a dead worker left.
Source: replicate-api.md 2.5, 2.6.
"""

import datetime
import re
from functools import partial
from pathlib import Path

import structlog
from celery import current_app
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerDown

from accounts.access import Caller
from marketplace.lib import wakeups
from marketplace.lib.problems import Conflict
from models_catalog import examples, lookup, publishing
from models_catalog.models import Model, Version
from runner import deployments, predictions, retention
from runner.models import Instance, Prediction
from runner.states import INSTANCE_ENDED, TERMINAL

log = structlog.get_logger(__name__)

_AT_ONCE = 200
_VERSION_ID = re.compile(r"[0-9a-f]{64}")


def delete_version(caller: Caller, owner: str, name: str, version_id: str) -> None:
    """Nobody sees or runs the version from now on; what runs of it is canceled, `remove_remains` removes its data.

    Raises NotFound, PermissionDenied, and Conflict for a version that others may depend on.
    """
    model = publishing.get_own_model(caller, owner, name)
    version = lookup.get_version(caller, model, version_id)
    with transaction.atomic():
        model = Model.objects.select_for_update(of=["self"]).select_related("account").get(pk=model.pk)
        if reason := _why_not(model, version):
            raise Conflict(reason)
        if not Version.objects.filter(pk=version.pk, deleted_at=None).update(deleted_at=timezone.now()):
            return  # somebody else has just deleted it
        model.latest_version = lookup.newest_version(model)
        model.save(update_fields=["latest_version"])
        examples.remove_examples(model, Prediction.objects.filter(version=version).values_list("pk", flat=True))
        lookup.forget_facts_everywhere()
        # Canceled first: an instance that is told to stop would finish what it runs.
        transaction.on_commit(partial(predictions.cancel_all_of_version, version.pk))
        wakeups.send_after_commit(wakeups.RUNNERS, {"type": "stop_version", "version_ids": [version.pk]})
        transaction.on_commit(_wake_worker)
    log.info("version_deleted", version=version.pk, model=model.full_name)


def delete_model(caller: Caller, owner: str, name: str) -> None:
    """The model is gone, its name is free. Raises NotFound, PermissionDenied, and Conflict unless private and empty."""
    model = publishing.get_own_model(caller, owner, name)
    if model.visibility == Model.Visibility.PUBLIC:
        raise Conflict("Public models can't be deleted.")
    with transaction.atomic():
        locked = Model.objects.select_for_update(of=["self"]).get(pk=model.pk)
        if locked.versions.filter(deleted_at=None).exclude(status=Version.Status.FAILED).exists():
            raise Conflict("Delete the model's versions first.")
        if Prediction.objects.filter(destination=locked).exclude(status__in=TERMINAL).exists():
            raise Conflict("A training is making a version of this model: cancel it first.")
        Model.objects.filter(pk=locked.pk).update(deleted_at=timezone.now(), description="", readme="")
        locked.versions.filter(deleted_at=None).update(deleted_at=timezone.now())
        locked.collections.clear()
        locked.examples.all().delete()
        lookup.forget_facts_everywhere()
    log.info("model_deleted", model=model.full_name)


def _wake_worker() -> None:
    try:
        current_app.send_task("runner.tasks.remove_deleted", retry=False)
    except (BrokerDown, OSError) as error:
        log.warning("wakeup_lost", type="deletion", error=str(error))


def _why_not(model: Model, version: Version) -> str | None:
    """Why the version must stay.  Source: replicate-api.md 2.6."""
    if model.visibility == Model.Visibility.PUBLIC and not version.is_private:
        return "Versions of public models can't be deleted."
    if Prediction.objects.filter(version=version).exclude(account_id=model.account_id).exists():
        return "Somebody else has run this version."
    trained = Prediction.objects.filter(version=version, kind=Prediction.Kind.TRAINING)
    if trained.exists() or Version.objects.filter(base=version, deleted_at=None).exists():
        return "This version is the base of a training."
    if deployments.is_version_deployed(version.pk):
        return "A deployment uses this version."
    return None


def remove_remains(*, now: datetime.datetime) -> int:
    """Remove the data of deleted versions, a portion at a time; returns how many versions still had some.

    Each step finds only what is left to do: who dies in between leaves the rest to the next sweep.
    """
    left = Prediction.objects.filter(version=OuterRef("pk"), data_removed=False)
    deleted = Version.objects.filter(~Q(archive="") | Exists(left), deleted_at__isnull=False)
    found = list(deleted.only("pk", "archive")[:_AT_ONCE])
    for version in found:
        _remove_predictions(version.pk, now=now)
        _remove_archive(version)
    return len(found)


def _remove_predictions(version_id: str, *, now: datetime.datetime) -> None:
    predictions.cancel_all_of_version(version_id)  # a web process that had not yet heard may have accepted some
    ended = Prediction.objects.filter(version_id=version_id, data_removed=False, status__in=TERMINAL)
    retention.remove_data(list(ended.values_list("pk", flat=True)[:_AT_ONCE]), now=now)


def _remove_archive(version: Version) -> None:
    """Row first: what a crash leaves in the storage is only space. A version submitted again has a new archive."""
    mine = Version.objects.filter(pk=version.pk, archive=version.archive, deleted_at__isnull=False)
    if version.archive and mine.update(archive=""):
        default_storage.delete(version.archive)


def unneeded_folders() -> list[Path]:
    """This host's environments and weights of deleted versions that no instance uses.

    One removed by mistake would be made again.
    """
    folders = [
        path
        for parent in (settings.ENVIRONMENTS_DIR, settings.WEIGHTS_DIR)
        for path in parent.glob("*")
        if _VERSION_ID.fullmatch(path.name)
    ]
    in_use = Instance.objects.exclude(state__in=INSTANCE_ENDED).filter(version=OuterRef("pk"))
    trained = Version.objects.filter(base=OuterRef("pk"), deleted_at=None)  # runs in its base's environment
    deleted = Version.objects.filter(pk__in={path.name for path in folders}, deleted_at__isnull=False)
    gone = set(deleted.filter(~Exists(in_use), ~Exists(trained)).values_list("pk", flat=True))
    return [path for path in folders if path.name in gone]
