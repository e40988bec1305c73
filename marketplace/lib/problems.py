"""Errors that are the caller's, and how they become JSON.

A verb raises a `Problem`; one handler turns it into an RFC 7807 body for the API, pages show its `detail`
beside the field. The catalogue of texts is replicate-api.md 1.8.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson
from django.http import HttpResponse
from django.utils.cache import patch_vary_headers

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True)
class InvalidField:
    """One violation of an input schema. `field` is a dotted path, empty for the document itself."""

    type: str
    field: str
    description: str


@dataclass(frozen=True)
class FieldError:
    """One wrong member of a resource. `pointer` is a JSON pointer (`/name`) or `?name` for a query parameter."""

    pointer: str
    detail: str


class Problem(Exception):
    """The request cannot be served, and the caller can do something about it."""

    status: ClassVar[int] = 400
    title: ClassVar[str | None] = None
    headers: Mapping[str, str] = {}

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def body(self) -> dict[str, Any]:
        """Members of the problem document; `detail` is always a string."""
        members: dict[str, Any] = {"detail": self.detail, "status": self.status}
        return {"title": self.title, **members} if self.title else members


class MalformedRequest(Problem):
    """The body is no JSON object."""

    title = "Malformed request"

    def __init__(self, detail: str = "The request body is not valid JSON") -> None:
        super().__init__(detail)


class Unauthenticated(Problem):
    """No token, or none that we know. The texts are asserted by clients.  Source: replicate-api.md 1.2."""

    status = 401
    title = "Unauthenticated"
    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}

    @classmethod
    def missing(cls) -> "Unauthenticated":
        return cls("You did not pass an authentication token")

    @classmethod
    def invalid(cls) -> "Unauthenticated":
        return cls("You did not pass a valid authentication token")


class PermissionDenied(Problem):
    """The thing is visible to the caller, the action is not allowed."""

    status = 403
    title = "Permission denied"

    def __init__(self, detail: str = "You do not have permission to perform this action.") -> None:
        super().__init__(detail)


class NotFound(Problem):
    """Absent or invisible: the two look alike."""

    status = 404

    def __init__(self, detail: str = "The requested resource could not be found.") -> None:
        super().__init__(detail)


class MethodNotAllowed(Problem):
    """The path exists, the method does not."""

    status = 405

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        super().__init__(f'Method "{method}" not allowed.')
        self.headers = {"Allow": ", ".join(allowed)}


class Conflict(Problem):
    """The state of the resource forbids it. The header stops clients that retry 409.  Source: replicate-api.md 1.8."""

    status = 409
    title = "Conflict"
    headers: Mapping[str, str] = {"x-should-retry": "false"}

    def body(self) -> dict[str, Any]:
        return {**super().body(), "errors": [{"detail": self.detail}]}


class PayloadTooLarge(Problem):
    """More bytes than the endpoint takes."""

    status = 413


class ValidationFailed(Problem):
    """Members of a resource are wrong; all of them are named.  Source: replicate-api.md 1.8.1."""

    title = "Validation failed"

    def __init__(self, errors: Sequence[FieldError]) -> None:
        lines = [f"- {error.pointer.lstrip('/?')}: {error.detail}" for error in errors]
        super().__init__("\n".join(["The following errors occurred:", *lines]))
        self.errors = list(errors)

    def body(self) -> dict[str, Any]:
        return {**super().body(), "errors": [{"pointer": e.pointer, "detail": e.detail} for e in self.errors]}


class InputInvalid(Problem):
    """Body or input of a prediction break the schema; all violations are named.  Source: replicate-api.md 1.8.2."""

    status = 422
    title = "Input validation failed"

    def __init__(self, fields: Sequence[InvalidField]) -> None:
        lines = [f"- {f.field}: {f.description}\n" if f.field else f"- {f.description}\n" for f in fields]
        super().__init__("".join(lines))
        self.fields = list(fields)

    def body(self) -> dict[str, Any]:
        fields = [{"type": f.type, "field": f.field, "description": f.description} for f in self.fields]
        return {**super().body(), "invalid_fields": fields}


class Throttled(Problem):
    """Too many requests. why: a sentence between the two that all have.  Source: replicate-api.md 1.9."""

    status = 429

    def __init__(self, retry_after_seconds: int, why: str = "") -> None:
        sentences = ["Request was throttled.", why, f"Your rate limit resets in ~{retry_after_seconds}s."]
        super().__init__(" ".join(filter(None, sentences)))
        self.retry_after_seconds = retry_after_seconds
        self.headers = {"Retry-After": str(retry_after_seconds)}

    def body(self) -> dict[str, Any]:
        return {**super().body(), "retry_after": self.retry_after_seconds}


def problem_response(problem: Problem) -> HttpResponse:
    """The problem as an HTTP response, for views that are not DRF's."""
    response = HttpResponse(orjson.dumps(problem.body()), status=problem.status, content_type=CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    for name, value in problem.headers.items():
        response.headers[name] = value
    patch_vary_headers(response, ["Authorization"])
    return response
