"""One operation of the API: a method of a path, with what it takes and answers."""

from dataclasses import dataclass
from typing import Any

JSON = "application/json"
EXTENSION = "Extension:"  # how the description of what goes beyond Replicate begins
MODEL_PATH = "/models/{owner}/{name}"
DEPLOYMENT_PATH = "/deployments/{owner}/{name}"


@dataclass(frozen=True, slots=True)
class Link:
    """What can be called next with what an answer says: `parameters` of the operation `to`, as runtime expressions."""

    to: str
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True)
class Operation:
    """answer: schema of the body by status (None: no body). parameters: names in the query or header, see document.

    csv_example: of the answer as CSV, where it may be asked for with `format=csv`; "" where it may not.
    also: further successful answers as (status, schema, example), which have none of the operation's headers and links.
    headers: of the successful answers, names in document, beside those that every answer has. links: from them.
    What all operations share is not said here: the answers 401 and 429, 400 and 413 of those that
    take a body, 404 for a cursor that is none.
    """

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
    csv_example: str = ""
    parameters: tuple[str, ...] = ()
    also: tuple[tuple[str, dict[str, Any], Any], ...] = ()
    headers: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    errors: tuple[str, ...] = ()
    needs_token: bool = True

    @property
    def is_extension(self) -> bool:
        """Whether Replicate has no such operation."""
        return self.description.startswith(EXTENSION)
