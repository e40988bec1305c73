"""One operation of the API: a method of a path, with what it takes and answers."""

from dataclasses import dataclass
from typing import Any

JSON = "application/json"
MODEL_PATH = "/models/{owner}/{name}"


@dataclass(frozen=True, slots=True)
class Operation:
    """answer: schema of the body by status (None: no body). parameters: names in the query or header, see document."""

    method: str
    path: str  # below /v1
    id: str
    tag: str
    summary: str
    answer: dict[str, dict[str, Any] | None]
    description: str = ""
    body: dict[str, Any] | None = None
    body_type: str = JSON
    body_example: Any = None
    answer_type: str = JSON
    answer_example: Any = None
    parameters: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    needs_token: bool = True
