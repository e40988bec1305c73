"""`Idempotency-Key`: a creating request that is sent twice creates once, and the first answer is given again.

The record is written in the transaction that creates, so dying at any line leaves both or neither. Resources take
`creates(View)` for their path; async handlers call `key_of`, `find`, and `claim` inside their own transaction.
Source: replicate-api.md 1.10.
"""

import datetime
import functools
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from psycopg.errors import LockNotAvailable

from accounts.access import Caller
from accounts.authentication import authenticate
from accounts.models import IdempotencyRecord
from marketplace.lib.endpoints import resource
from marketplace.lib.problems import Conflict, Problem, problem_response

KEPT = datetime.timedelta(hours=24)
REPLAYED = {"Idempotent-Replayed": "true"}
_SHAPE = re.compile(r"[\x20-\x7e]{1,255}")
_PATIENCE = "2s"  # for another request with the same key to commit
_KEPT_HEADERS = ("Content-Type", "Location", "Cache-Control")
_BOUNDARY = re.compile(r"""boundary="?([^";,]+)""", re.IGNORECASE)
_CHUNK_BYTES = 1 << 20
_REMOVED_AT_ONCE = 5_000
_CLAIM = """
    INSERT INTO accounts_idempotencyrecord AS r
           (account_id, key, request_hash, status, headers, body, subject, created_at)
    VALUES (%s, %s, %s, NULL, '{}', '', %s, %s)
        ON CONFLICT (account_id, key) DO UPDATE
           SET request_hash = EXCLUDED.request_hash, status = NULL, headers = '{}', body = '',
               subject = EXCLUDED.subject, created_at = EXCLUDED.created_at
         WHERE r.created_at < %s
 RETURNING id
"""


class InvalidIdempotencyKey(Problem):
    """The header is empty, too long, or holds what can't be printed."""

    title = "Invalid Idempotency-Key header"

    def __init__(self) -> None:
        super().__init__("Expected 1 to 255 printable ASCII characters")


class KeyInUse(Conflict):
    """The key came before with another request."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was already used for a different request.")


class StillInProgress(Conflict):
    """The same request is being served right now."""

    def __init__(self) -> None:
        super().__init__("A request with this Idempotency-Key is still in progress.")


@dataclass(frozen=True, slots=True)
class Key:
    """A key of one account, for one request: `request_hash` is SHA-256 of method, path and body."""

    account_id: int
    text: str
    request_hash: str


def key_of(request: HttpRequest, caller: Caller) -> Key | None:
    """The request's key; None where it has none. Raises InvalidIdempotencyKey."""
    text = request.headers.get("Idempotency-Key")
    if text is None:
        return None
    if not _SHAPE.fullmatch(text):
        raise InvalidIdempotencyKey
    return Key(caller.account_id, text, request_hash(request))


def request_hash(request: HttpRequest) -> str:
    """SHA-256 of method, path and body, hex. Reads the body, which may be read again.

    The boundary of a form's parts is left out: clients make a new one each time they send the same form.
    """
    digest = hashlib.sha256(f"{request.method} {request.path}\n".encode())
    match = _BOUNDARY.search(request.headers.get("Content-Type", ""))
    boundary = match[1].encode() if match else b""
    rest = b""
    for chunk in _chunks(request):
        rest += chunk
        if boundary:
            rest = rest.replace(boundary, b"")
        sure = max(0, len(rest) - len(boundary))  # one may begin in what is left
        digest.update(rest[:sure])
        rest = rest[sure:]
    digest.update(rest)
    return digest.hexdigest()


def _chunks(request: HttpRequest) -> Iterator[bytes]:
    """The body as it came, in pieces that are the same each time: `request.body` refuses archives and large files."""
    stream = request._stream
    stream.seek(0)
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk
    stream.seek(0)


def find(key: Key) -> IdempotencyRecord | None:
    """What the key has made within the last 24 hours. Raises KeyInUse for another request's."""
    since = timezone.now() - KEPT
    record = IdempotencyRecord.objects.filter(account_id=key.account_id, key=key.text, created_at__gte=since).first()
    if record is not None and record.request_hash != key.request_hash:
        raise KeyInUse
    return record


def claim(key: Key, *, subject: str = "") -> IdempotencyRecord | None:
    """Inside the transaction that creates: take the key. None: it is ours; else what it has made already.

    subject: of what is created, like `prediction/<id>`, where the answer is made from that anew. Waits for another
    transaction that has just taken the key. Raises KeyInUse, StillInProgress.
    """
    now = timezone.now()
    values: list[Any] = [key.account_id, key.text, key.request_hash, subject, now, now - KEPT]
    try:
        # A savepoint of its own: who called may go on with the transaction after a refusal.
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
            cursor.execute(_CLAIM, values)
            is_ours = cursor.fetchone() is not None
            cursor.execute("SET LOCAL lock_timeout = DEFAULT")
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise StillInProgress from error
        raise
    return None if is_ours else find(key)


def once(request: HttpRequest, answer: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """Answer a creating request, or repeat the answer that its key got. Only successes are remembered."""
    if request.method != "POST" or "Idempotency-Key" not in request.headers:
        return answer()
    try:
        key = key_of(request, authenticate(request))
        assert key is not None
        with transaction.atomic():
            if record := claim(key):
                return _repeated(record)
            response = answer()
            if not (200 <= response.status_code < 300 and isinstance(response, HttpResponse)):
                transaction.set_rollback(True)
                return response
            _remember(key, response)
            return response
    except Problem as problem:
        return problem_response(problem)


creates = functools.partial(resource, around=once)
"""`resource` whose POST honours `Idempotency-Key`: `path("models", creates(ModelList))`."""


def _remember(key: Key, response: HttpResponse) -> None:
    IdempotencyRecord.objects.filter(account_id=key.account_id, key=key.text).update(
        status=response.status_code,
        headers={name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers},
        body=response.content,
    )


def _repeated(record: IdempotencyRecord) -> HttpResponse:
    return HttpResponse(bytes(record.body), status=record.status, headers={**record.headers, **REPLAYED})


def forget_old() -> int:
    """Remove a portion of records that are older than 24 hours; returns how many it were."""
    old = IdempotencyRecord.objects.filter(created_at__lt=timezone.now() - KEPT).order_by("created_at")
    return IdempotencyRecord.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:_REMOVED_AT_ONCE])).delete()[
        0
    ]
