"""Files: store, sign, read, expire. Uploads of users, and outputs of models.

Links are capabilities: an upload's download link is signed and expires, an output's address carries a signature.
The content is stored first and the row written after it, so that a row always has its content.
Source: replicate-api.md 2.11, 3.7, 3.8.
"""

import base64
import binascii
import datetime
import hashlib
import mimetypes
import re
import time
from collections.abc import Collection
from typing import IO, Any
from urllib.parse import quote, unquote_to_bytes, urlencode, urlsplit

from django.conf import settings
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from accounts.access import Caller
from marketplace.lib import signing
from marketplace.lib.ids import new_id
from marketplace.lib.problems import NotFound, PayloadTooLarge
from runner.models import Prediction, StoredFile

UPLOAD_KEPT = datetime.timedelta(hours=24)
_DOWNLOAD_SECONDS = 3600
_OUTPUT_PURPOSE = "output file"
_DOWNLOAD_PURPOSE = "file download"
_CHUNK_BYTES = 256 * 1024
# Media types that Python 3.11 does not know, as models name them.
_EXTENSIONS = {
    "audio/flac": ".flac",
    "audio/ogg": ".ogg",
    "audio/wav": ".wav",
    "audio/wave": ".wav",
    "audio/x-wav": ".wav",
    "image/webp": ".webp",
    "model/gltf-binary": ".glb",
}
_CONTENT_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(\s*;\s*[\w-]+=[\w.+-]+)*")
_OUTPUT_PATH = re.compile(r"/files/(?P<id>[a-z0-9]{26})/(?P<signature>[0-9a-f]{32})/.*")
_DATA_URI = re.compile(r"data:([^,;]*)((?:;[^,;]*)*),", re.IGNORECASE)


def store_upload(
    caller: Caller, content: "File[Any]", *, name: str, content_type: str, metadata: dict[str, Any]
) -> StoredFile:
    """Keep a user's file for a day. Raises PayloadTooLarge.  Source: replicate-api.md 2.11."""
    if content.size > settings.FILE_UPLOAD_LIMIT_BYTES:
        raise PayloadTooLarge("Files must be less than 100MB in size")
    expires_at = datetime.datetime.now(datetime.UTC) + UPLOAD_KEPT
    return _store(
        content,
        account_id=caller.account_id,
        kind=StoredFile.Kind.UPLOAD,
        name=safe_name(name) or "file",
        content_type=content_type,
        metadata=metadata,
        expires_at=expires_at,
    )


def store_output(prediction: Prediction, content: "File[Any]", *, content_type: str, filename: str) -> StoredFile:
    """Keep a file that a model made. It lives as long as the prediction's data."""
    return _store(
        content,
        account_id=prediction.account_id,
        kind=StoredFile.Kind.OUTPUT,
        name=safe_name(filename) or "output",
        content_type=content_type,
        prediction_id=prediction.pk,
    )


def store_output_data_uri(prediction: Prediction, data_uri: str) -> StoredFile:
    """As `store_output`, for the form in which coglet hands files out. Raises ValueError for what is no data URI."""
    content, content_type = decode_data_uri(data_uri)
    media_type = content_type.partition(";")[0].strip().lower()
    extension = _EXTENSIONS.get(media_type) or mimetypes.guess_extension(media_type) or ""
    return store_output(prediction, ContentFile(content), content_type=content_type, filename=f"output{extension}")


def decode_data_uri(data_uri: str) -> tuple[bytes, str]:
    """Content and media type. Raises ValueError."""
    head = _DATA_URI.match(data_uri)
    if head is None:
        raise ValueError("not a data URI")
    payload = data_uri[head.end() :]
    if not head[2].lower().endswith(";base64"):
        return unquote_to_bytes(payload), head[1] or "text/plain"
    try:
        return base64.b64decode(payload), head[1] or "application/octet-stream"
    except binascii.Error as error:
        raise ValueError("bad base64 in a data URI") from error


def _store(content: "File[Any]", *, content_type: str, **columns: Any) -> StoredFile:
    """Hash the content chunk by chunk, store it, write the row."""
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    for chunk in content.chunks(_CHUNK_BYTES):
        md5.update(chunk)
        sha256.update(chunk)
        size += len(chunk)
    content.seek(0)
    file_id = new_id()
    key = default_storage.save(f"{columns['kind']}s/{file_id[:2]}/{file_id}", content)
    return StoredFile.objects.create(
        id=file_id,
        key=key,
        size=size,
        md5=md5.hexdigest(),
        sha256=sha256.hexdigest(),
        content_type=content_type if _CONTENT_TYPE.fullmatch(content_type) else "application/octet-stream",
        **columns,
    )


def safe_name(name: str) -> str:
    """The last path segment without control characters, at most 255 bytes with its extension kept."""
    base = re.sub(r"[\x00-\x1f\x7f]", "", re.split(r"[/\\]", name)[-1]).strip(". ")
    if len(base.encode()) <= 255:
        return base
    stem, dot, extension = base.rpartition(".")
    tail = (dot + extension).encode()[:32] if stem else b""
    return ((stem or base).encode()[: 255 - len(tail)] + tail).decode(errors="ignore")


# --- Links ----------------------------------------------------------------------------------------------------------


def output_url(file: StoredFile) -> str:
    """The address of a model's file: who has it may read it.  Source: replicate-api.md 3.7."""
    signature = signing.sign_for_path(_OUTPUT_PURPOSE, file.pk)
    return f"{settings.PUBLIC_URL}/files/{file.pk}/{signature}/{quote(file.name)}"


def upload_url(file: StoredFile) -> str:
    """The address that clients put into inputs; it shows the file's description, not its content."""
    return f"{settings.PUBLIC_URL}/v1/files/{file.pk}"


def download_url(file: StoredFile, owner: str, *, now: float | None = None) -> str:
    """A link to an upload's content that works for an hour without a token."""
    expiry = int(now or time.time()) + _DOWNLOAD_SECONDS
    signature = signing.sign(_DOWNLOAD_PURPOSE, f"{owner} {file.pk} {expiry}")
    return f"{upload_url(file)}/download?" + urlencode({"owner": owner, "expiry": expiry, "signature": signature})


def get_output(file_id: str, signature: str) -> StoredFile:
    """The output a link names. Raises NotFound."""
    if not signing.is_equal(signing.sign_for_path(_OUTPUT_PURPOSE, file_id), signature):
        raise NotFound("File not found")
    return _get(live_files().filter(kind=StoredFile.Kind.OUTPUT), file_id)


def find_output(url: str) -> StoredFile | None:
    """The output that an address names, under whatever name the site was reached then; None for other addresses."""
    match = _OUTPUT_PATH.fullmatch(urlsplit(url).path)
    try:
        return get_output(match["id"], match["signature"]) if match else None
    except NotFound:
        return None


def get_download(file_id: str, *, owner: str, expiry: str, signature: str) -> StoredFile:
    """The upload a signed link names. Raises NotFound whatever is wrong."""
    is_good = expiry.isascii() and expiry.isdigit() and len(expiry) < 12 and int(expiry) > time.time()
    if not is_good or not signing.is_signed(_DOWNLOAD_PURPOSE, f"{owner} {file_id} {expiry}", signature):
        raise NotFound("File not found")
    return _get(live_files().filter(kind=StoredFile.Kind.UPLOAD, account__username=owner), file_id)


# --- Reading --------------------------------------------------------------------------------------------------------


def live_files() -> QuerySet[StoredFile]:
    """Files that have not expired."""
    now = datetime.datetime.now(datetime.UTC)
    return StoredFile.objects.exclude(expires_at__lte=now)


def list_uploads(caller: Caller) -> QuerySet[StoredFile]:
    """The account's uploads."""
    return live_files().filter(account_id=caller.account_id, kind=StoredFile.Kind.UPLOAD)


def get_upload(caller: Caller, file_id: str) -> StoredFile:
    """One of the account's uploads. Raises NotFound."""
    return _get(list_uploads(caller), file_id)


def _get(files: QuerySet[StoredFile], file_id: str) -> StoredFile:
    file = files.filter(pk=file_id).first()
    if file is None:
        raise NotFound("File not found")
    return file


def open_content(file: StoredFile) -> IO[bytes]:
    """The content, seekable; the caller closes it. Raises NotFound if the storage lost it."""
    try:
        return default_storage.open(file.key, "rb")
    except FileNotFoundError as error:
        raise NotFound("File not found") from error


# --- Removing -------------------------------------------------------------------------------------------------------


def delete_upload(caller: Caller, file_id: str) -> None:
    """Remove an upload. Raises NotFound."""
    remove([get_upload(caller, file_id)])


def remove_expired(*, at_most: int = 500) -> int:
    """Remove files whose time is over; returns how many. Run twice, it finds nothing to do."""
    now = datetime.datetime.now(datetime.UTC)
    return remove(list(StoredFile.objects.filter(expires_at__lte=now)[:at_most]))


def remove(files: list[StoredFile]) -> int:
    """Remove files for good; returns how many.

    They expire first, so that no link leads to nothing, and the row goes last: a crash in between leaves a row that
    the sweep finds again, never content that nobody knows of.
    """
    rows = StoredFile.objects.filter(pk__in=[file.pk for file in files])
    rows.filter(Q(expires_at=None) | Q(expires_at__gt=Now())).update(expires_at=Now())
    for file in files:
        default_storage.delete(file.key)
    rows.delete()
    return len(files)


def expire_outputs(prediction_ids: Collection[str], *, now: datetime.datetime) -> int:
    """End the time of what these predictions made, but for what an example shows; returns how many files.

    Links stop working at once, contents go with the next sweep.  Source: replicate-api.md 3.6.
    """
    outputs = StoredFile.objects.filter(prediction_id__in=prediction_ids, kind=StoredFile.Kind.OUTPUT)
    found = list(outputs.values_list("pk", flat=True))
    going = set(found) - shown_in_examples() if found else set()
    return StoredFile.objects.filter(pk__in=going).update(expires_at=now)


def shown_in_examples() -> set[str]:
    """Ids of the outputs that examples name, in what they made or in what they were given."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT found[1]
              FROM models_catalog_example, regexp_matches(prediction::text, '/files/([a-z0-9]{26})/', 'g') AS found
            """
        )
        return {file_id for (file_id,) in cursor.fetchall()}
