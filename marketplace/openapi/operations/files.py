"""Files.  Source: replicate-api.md 2.11."""

from marketplace.openapi.operation import Operation
from marketplace.openapi.schemas import ref

OPERATIONS = (
    Operation(
        "get",
        "/files",
        "files.list",
        "Files",
        "List files",
        {"200": ref("FilePage")},
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
        errors=("400", "409", "413"),
    ),
    Operation(
        "get", "/files/{file_id}", "files.get", "Files", "Describe a file", {"200": ref("File")}, errors=("404",)
    ),
    Operation("delete", "/files/{file_id}", "files.delete", "Files", "Delete a file", {"204": None}, errors=("404",)),
    Operation(
        "get",
        "/files/{file_id}/download",
        "files.download",
        "Files",
        "Download a file by a signed link",
        {"200": {"type": "string", "format": "binary"}},
        answer_type="application/octet-stream",
        parameters=("owner", "expiry", "signature"),
        errors=("404",),
        needs_token=False,
    ),
)
