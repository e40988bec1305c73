"""How models come to be and get versions: create, change, submit an archive, accept or reject its build.

Flow: `submit_version` checks an upload in full, stores it packed and writes the version (submitted); the runner hears
`version_submitted`, builds it, and calls `accept_build` or `reject_build`. Only a model's owner publishes.
Source: replicate-api.md 2.5, 2.6, 6.5; design.md, "Trust".
"""

import hashlib
import io
import tempfile
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.access import Caller
from accounts.models import Account
from marketplace.lib.ids import new_id
from marketplace.lib.problems import (
    Conflict,
    FieldError,
    NotFound,
    PayloadTooLarge,
    PermissionDenied,
    Problem,
    ValidationFailed,
)
from models_catalog import archives, cog_yaml, lookup, model_fields, project_folder
from models_catalog.model_fields import NewModel
from models_catalog.models import Model, Version
from models_catalog.signals import version_submitted

NAME_TAKEN = "A model with that name and owner already exists."
MOST_MODELS = 1000  # per account, replicate-api.md 2.5


class ArchiveInvalid(Problem):
    """An upload that is no archive, or not one that may be unpacked."""

    status = 422
    title = "Archive refused"

    def body(self) -> dict[str, Any]:
        return {**super().body(), "errors": [{"pointer": "/archive", "detail": self.detail}]}


def create_model(caller: Caller, new: NewModel, *, hardware_skus: Collection[str]) -> Model:
    """A new model without versions. hardware_skus: those that may be chosen.

    Raises ValidationFailed, PermissionDenied (someone else's name), Conflict.  Source: replicate-api.md 2.5.
    """
    if errors := model_fields.mistakes(new, hardware_skus=hardware_skus):
        raise ValidationFailed(errors)
    if new.owner.lower() != caller.username:
        raise PermissionDenied()
    account = Account.objects.get(pk=caller.account_id)
    if account.models.filter(deleted_at=None).count() >= MOST_MODELS:
        raise Conflict(f"An account may have at most {MOST_MODELS} models.")
    links = {name: getattr(new, name) for name in model_fields.LINKS}
    try:
        with transaction.atomic():
            return Model.objects.create(
                account=account,
                name=new.name,
                description=new.description,
                visibility=new.visibility,
                hardware=new.hardware,
                **links,
            )
    except IntegrityError as error:
        raise Conflict(NAME_TAKEN) from error


def get_own_model(caller: Caller, owner: str, name: str) -> Model:
    """The model, if the caller may publish to it. Raises NotFound, or PermissionDenied for one that only others own."""
    model = lookup.get_model(caller, owner, name)
    if not caller.owns(model.account_id):
        raise PermissionDenied()
    return model


def update_model(caller: Caller, model: Model, changes: Mapping[str, str]) -> Model:
    """Write changes as `model_fields.parse_changes` gives them; none is fine. Raises PermissionDenied."""
    if not caller.owns(model.account_id):
        raise PermissionDenied()
    for name, value in changes.items():
        setattr(model, name, value)
    if changes:
        model.save(update_fields=list(changes))
    return model


def submit_version(caller: Caller, model: Model, archive: IO[bytes]) -> Version:
    """Publish an archive (zip or tar.gz of a folder with a cog.yaml, seekable) as a version of the caller's model.

    The same content is the same version: one that is ready or in its build is returned as it is, a failed or deleted
    one is built again. Raises PermissionDenied, PayloadTooLarge, ArchiveInvalid, ValidationFailed that names each
    mistake in cog.yaml, and NotFound if the model was deleted meanwhile.
    """
    if not caller.owns(model.account_id):
        raise PermissionDenied()
    content_digest, packed = _checked(archive)
    version_id = hashlib.sha256(f"{model.pk}:{content_digest}".encode()).hexdigest()
    existing = Version.objects.filter(pk=version_id).first()
    if existing and not _may_be_built_again(existing):
        return existing
    # A new key each time: a crash while storing leaves half a file, which must never pass for the whole one.
    key = default_storage.save(f"archives/{version_id}/{new_id()}.tar.gz", ContentFile(packed))
    return _write_submitted(caller, model, version_id, key)


def _checked(archive: IO[bytes]) -> tuple[str, bytes]:
    """The content digest of an upload and its packed form; whatever is wrong with it is raised here."""
    most = settings.ARCHIVE_MAX_BYTES
    if archive.seek(0, io.SEEK_END) > most:
        raise PayloadTooLarge(f"The archive is larger than {most / 1_000_000:g} MB.")
    with tempfile.TemporaryDirectory(prefix="modelyard-upload-") as temporary:
        folder = Path(temporary) / "project"
        try:
            archives.unpack(archive, folder, archives.ArchiveLimits(compressed_bytes=most))
            cog_yaml.load(folder)
            return project_folder.digest(folder), project_folder.pack(folder)
        except archives.ArchiveRefused as error:
            raise ArchiveInvalid(error.message) from error
        except cog_yaml.CogYamlInvalid as error:
            places = [(f"/cog.yaml/{e.field}" if e.field else "/cog.yaml", e.message) for e in error.errors]
            raise ValidationFailed([FieldError(pointer, message) for pointer, message in places]) from error


def _write_submitted(caller: Caller, model: Model, version_id: str, key: str) -> Version:
    defaults = {"model": model, "created_by_id": caller.user_id, "archive": key}
    with transaction.atomic():
        # The lock keeps the model from being deleted between the look and the commit.
        if Model.objects.select_for_update(of=["self"]).filter(pk=model.pk, deleted_at=None).first() is None:
            default_storage.delete(key)
            raise NotFound
        version, is_new = Version.objects.select_for_update().get_or_create(pk=version_id, defaults=defaults)
        if not is_new and not _may_be_built_again(version):
            _delete_after_commit(key)  # somebody submitted the same at the same time
            return version
        if not is_new:
            if version.archive:
                _delete_after_commit(version.archive)
            if version.deleted_at:  # it comes back as a new one, and as the model's latest
                version.created_at, version.deleted_at = timezone.now(), None
            version.archive, version.status = key, Version.Status.SUBMITTED
            version.save(update_fields=["archive", "status", "created_at", "deleted_at"])
        announce: Callable[[], object] = partial(version_submitted.send, Version, version_id=version_id)
        transaction.on_commit(announce)
    return version


def _may_be_built_again(version: Version) -> bool:
    return version.status == Version.Status.FAILED or version.deleted_at is not None


def _delete_after_commit(key: str) -> None:
    transaction.on_commit(partial(default_storage.delete, key))


def accept_build(
    version_id: str,
    *,
    cog_version: str,
    config: Mapping[str, Any],
    schema: Mapping[str, Any],
    max_concurrency: int,
    readme: str = "",
) -> bool:
    """The build succeeded: the version can run, and is its model's latest if it is the newest that can.

    readme: the project's own, taken where the model has none. False if the version did not wait for a build.
    """
    with transaction.atomic():
        model = Model.objects.select_for_update(of=["self"]).get(versions=version_id)  # model before version
        changed = Version.objects.filter(pk=version_id, status=Version.Status.SUBMITTED).update(
            status=Version.Status.READY,
            cog_version=cog_version,
            config=dict(config),
            openapi_schema=dict(schema),
            max_concurrency=max_concurrency,
        )
        if not changed:
            return False
        model.latest_version = lookup.newest_version(model)
        model.readme = model.readme or readme[: model_fields.README_LENGTH].replace("\0", "")
        model.save(update_fields=["latest_version", "readme"])
    lookup.forget_facts()
    return True


def trained_version_id(training_id: str) -> str:
    """The id of the version that a training makes, known before it is there."""
    return hashlib.sha256(f"training:{training_id}".encode()).hexdigest()


def accept_trained(
    training_id: str, *, model: Model, trainer: Version, weights: str, created_by_id: int | None
) -> Version:
    """The version that a training made: the trainer's code with weights of its own, for the model's owner alone.

    Its base is the version whose archive it runs, so bases have no base. It is the latest of a private model, never of
    a public one. Repeated for the same training it returns the version that is there. weights: what `setup` gets, ""
    for none.
    """
    version, is_new = Version.objects.get_or_create(
        pk=trained_version_id(training_id),
        defaults={
            "model": model,
            "status": Version.Status.READY,
            "created_by_id": created_by_id,
            "cog_version": trainer.cog_version,
            "config": trainer.config,
            "openapi_schema": trainer.openapi_schema,
            "max_concurrency": trainer.max_concurrency,
            "is_private": True,
            "weights": weights,
            "base": trainer.base or trainer,
            "training_id": training_id,
        },
    )
    if is_new:
        Model.objects.filter(pk=model.pk).update(latest_version=lookup.newest_version(model))
    return version


def reject_build(version_id: str) -> bool:
    """The build failed: the version stays, with its log, and the same archive may be submitted again."""
    submitted = Version.objects.filter(pk=version_id, status=Version.Status.SUBMITTED)
    return bool(submitted.update(status=Version.Status.FAILED))
