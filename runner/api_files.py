"""The API of files: upload, list, describe, delete; and the two links that need no token.

Source: replicate-api.md 2.11, 3.7.
"""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import caller_of
from marketplace.lib import dbthreads
from marketplace.lib.pagination import NewestFirst
from marketplace.lib.problems import FieldError, ValidationFailed
from marketplace.lib.timestamps import timestamp
from runner import files, upload_forms
from runner.file_responses import file_response
from runner.models import StoredFile


def file_document(file: StoredFile) -> dict[str, Any]:
    """An upload as the API shows it; `name` and `etag` are what one client insists on."""
    assert file.expires_at is not None
    return {
        "id": file.pk,
        "name": file.name,
        "content_type": file.content_type,
        "size": file.size,
        "etag": file.md5,
        "checksums": {"sha256": file.sha256, "md5": file.md5},
        "metadata": file.metadata,
        "created_at": timestamp(file.created_at),
        "expires_at": timestamp(file.expires_at),
        "urls": {"get": files.upload_url(file)},
    }


class FileList(APIView):
    """The account's uploads."""

    parser_classes = (MultiPartParser,)

    def get(self, request: Request) -> Response:
        """List files."""
        pages = NewestFirst()
        page = pages.paginate_queryset(files.list_uploads(caller_of(request)), request, view=self) or []
        return pages.get_paginated_response([file_document(file) for file in page])

    def post(self, request: Request) -> Response:
        """Upload a file."""
        if not str(request.content_type).startswith("multipart/form-data"):
            raise ValidationFailed(
                [FieldError("/content", "Send the file as multipart/form-data, in the part content.")]
            )
        content = upload_forms.content_of(request.FILES)
        name, content_type = upload_forms.name_and_type(request.POST, content)
        metadata = upload_forms.metadata_of(request.POST, request.FILES)
        file = files.store_upload(caller_of(request), content, name=name, content_type=content_type, metadata=metadata)
        return Response(file_document(file), status=201)


class FileDetail(APIView):
    """One upload."""

    def get(self, request: Request, file_id: str) -> Response:
        """Get a file's description."""
        return Response(file_document(files.get_upload(caller_of(request), file_id)))

    def delete(self, request: Request, file_id: str) -> Response:
        """Delete a file."""
        files.delete_upload(caller_of(request), file_id)
        return Response(status=204)


async def download(request: HttpRequest, file_id: str) -> HttpResponseBase:
    """`GET /v1/files/{id}/download`: the content of an upload, by a signed link."""
    link = {name: request.GET.get(name, "") for name in ("owner", "expiry", "signature")}
    file = await dbthreads.run(lambda: files.get_download(file_id, **link))
    return await file_response(request, file, as_attachment=True)


async def output(request: HttpRequest, file_id: str, signature: str, name: str) -> HttpResponseBase:
    """`GET /files/{id}/{signature}/{name}`: a file that a model made. The name is only for people."""
    file = await dbthreads.run(files.get_output, file_id, signature)
    return await file_response(request, file, as_attachment=False)
