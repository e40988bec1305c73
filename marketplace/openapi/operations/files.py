"""Files.  Source: replicate-api.md 2.11."""

from marketplace.openapi.examples import FILE_EXAMPLE, page_example
from marketplace.openapi.operation import Link, Operation
from marketplace.openapi.schemas import ref

_OF_FILE = {"file_id": "$response.body#/id"}

OPERATIONS = (
    Operation(
        "get",
        "/files",
        "files.list",
        "Files",
        "List files",
        {"200": ref("FilePage")},
        answer_example=page_example(FILE_EXAMPLE),
        parameters=("cursor",),
    ),
    Operation(
        "post",
        "/files",
        "files.create",
        "Files",
        "Upload a file",
        {"201": ref("File")},
        "Kept for a day. Put its `urls.get` into an input, and the model gets the content.",
        body=ref("NewFile"),
        body_type="multipart/form-data",
        parameters=("Idempotency-Key",),
        body_example={"content": "hello", "filename": "hello.txt", "type": "text/plain"},
        answer_example=FILE_EXAMPLE,
        links=(Link("files.get", _OF_FILE), Link("files.delete", _OF_FILE)),
        errors=("400", "409", "413"),
    ),
    Operation(
        "get",
        "/files/{file_id}",
        "files.get",
        "Files",
        "Describe a file",
        {"200": ref("File")},
        answer_example=FILE_EXAMPLE,
        links=(Link("files.delete", _OF_FILE),),
        errors=("404",),
    ),
    Operation("delete", "/files/{file_id}", "files.delete", "Files", "Delete a file", {"204": None}, errors=("404",)),
    Operation(
        "get",
        "/files/{file_id}/download",
        "files.download",
        "Files",
        "Download a file by a signed link",
        {"200": {"type": "string", "format": "binary"}},
        "The platform makes such links, for models that take files; they work for an hour.",
        answer_type="application/octet-stream",
        headers=("ETag", "Content-Disposition"),
        parameters=("owner", "expiry", "signature"),
        errors=("404",),
        needs_token=False,
    ),
)
