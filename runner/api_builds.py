"""The API of publishing: submit a version as an archive, follow its build. An extension of Replicate's API, which has
versions come from its image registry.  Source: replicate-api.md 6.5, 1.8.
"""

import tempfile
from typing import IO, Any, cast

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import Caller
from marketplace.lib.problems import FieldError, NotFound, PayloadTooLarge, ValidationFailed
from marketplace.lib.timestamps import timestamp
from models_catalog import lookup, publishing
from models_catalog.api import VersionList as CatalogVersionList
from models_catalog.models import Version
from runner.models import Build

_CHUNK_BYTES = 1 << 18
_KEPT_IN_MEMORY_BYTES = 5 * 1024 * 1024


class ArchiveParser(BaseParser):
    """The body itself is the archive, whatever its content type says; read into a file, bounded."""

    media_type = "*/*"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        """`{"archive": file}`. Raises PayloadTooLarge."""
        archive = tempfile.SpooledTemporaryFile(_KEPT_IN_MEMORY_BYTES)  # noqa: SIM115 - the view reads it
        size = 0
        while chunk := stream.read(_CHUNK_BYTES):
            size += len(chunk)
            if size > settings.ARCHIVE_MAX_BYTES:
                raise PayloadTooLarge(f"The archive is larger than {settings.ARCHIVE_MAX_BYTES / 1_000_000:g} MB.")
            archive.write(chunk)
        return {"archive": archive} if size else {}


class VersionList(CatalogVersionList):
    """A model's versions."""

    def post(self, request: Request, owner: str, name: str) -> Response:
        """Submit a version: a zip or tar.gz of the model's folder, as the part `archive` or as the body itself."""
        caller = cast(Caller, request.user)
        model = publishing.get_own_model(caller, owner, name)
        archive = cast(dict[str, Any], request.data).get("archive")
        if not isinstance(archive, UploadedFile | tempfile.SpooledTemporaryFile):
            raise ValidationFailed([FieldError("/archive", "Send a zip or tar.gz of the model's folder.")])
        version = publishing.submit_version(caller, model, archive)
        return Response(submitted_document(version), status=201)

    def get_parsers(self) -> list[Any]:
        """Forms carry the archive as a part; any other body is one."""
        return [MultiPartParser(), ArchiveParser()]


class VersionBuild(APIView):
    """The build of a version."""

    def get(self, request: Request, owner: str, name: str, version_id: str) -> Response:
        """Get a version's newest build, with its log. For the model's owner."""
        caller = cast(Caller, request.user)
        model = publishing.get_own_model(caller, owner, name)
        version = lookup.visible_versions(caller).filter(model=model, pk=version_id.lower()).first()
        build = version.builds.first() if version else None
        if version is None or build is None:
            raise NotFound
        return Response({**build_document(version, build), "log": build.log})


def submitted_document(version: Version) -> dict[str, Any]:
    """What submitting answers; `status` is of the version: submitted, ready or failed."""
    build = version.builds.first()
    return {
        "id": version.pk,
        "status": version.status,
        "created_at": timestamp(version.created_at),
        "build": build_document(version, build) if build else None,
    }


def build_document(version: Version, build: Build) -> dict[str, Any]:
    """`status`: queued, running, succeeded or failed; `error` says what to mend."""
    path = f"{version.model.full_name}/versions/{version.pk}"
    return {
        "id": str(build.pk),
        "version": version.pk,
        "status": build.status,
        "error": build.error or None,
        "created_at": timestamp(build.created_at),
        "started_at": timestamp(build.started_at) if build.started_at else None,
        "completed_at": timestamp(build.completed_at) if build.completed_at else None,
        "urls": {
            "get": f"{settings.PUBLIC_URL}/v1/models/{path}/build",
            "web": f"{settings.PUBLIC_URL}/{path}",
        },
    }
