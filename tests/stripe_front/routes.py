"""What the front's own routes share: how they refuse, show, expand and list."""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.stripe_front.engine_client import Refused

if TYPE_CHECKING:
    from tests.stripe_front.world import World

Json = dict[str, Any]
_PLACES = {
    "ch": "charges",
    "cus": "customers",
    "in": "invoices",
    "pi": "payment_intents",
    "pm": "payment_methods",
    "seti": "setup_intents",
}


@dataclass(frozen=True)
class Route:
    """A method and a path with groups for its ids → the function of (world, params, *ids) that answers."""

    method: str
    path: str
    answer: "Callable[..., Json]"

    def ids(self, method: str, path: str) -> tuple[str, ...] | None:
        """The ids in the path, or None if it is another route's."""
        matched = re.fullmatch(self.path, path) if method == self.method else None
        return matched.groups() if matched else None


def refused(message: str, *, status: int = 400, code: str | None = None, param: str | None = None) -> Refused:
    """An `invalid_request_error`."""
    error = {"type": "invalid_request_error", "message": message, "code": code, "param": param}
    return Refused(status, {"error": {name: value for name, value in error.items() if value is not None}})


def missing(kind: str, one: str, *, status: int = 404) -> Refused:
    """There is no such object."""
    return refused(f"No such {kind}: '{one}'", status=status, code="resource_missing", param=kind)


def new_id(prefix: str) -> str:
    """An id as Stripe's are."""
    return f"{prefix}_{secrets.token_hex(12)}"


def expanded(world: "World", shown: Json, paths: list[str]) -> Json:
    """A copy with the ids that `expand` names replaced by their objects."""
    whole = dict(shown)
    for path in paths:
        field, _, rest = path.partition(".")
        value = whole.get(field)
        if isinstance(value, str) and (place := _PLACES.get(value.split("_")[0])):
            whole[field] = world.engine.get(f"/v1/{place}/{value}", expand=[rest] if rest else [])
    return whole


def page(world: "World", all_of_them: list[Json], params: Json, url: str) -> Json:
    """One page of a list, the newest first."""
    newest_first = all_of_them[::-1]
    if after := params.get("starting_after"):
        newest_first = newest_first[[one["id"] for one in newest_first].index(after) + 1 :]
    limit = int(params.get("limit", 10))
    paths = [path.removeprefix("data.") for path in params.get("expand", [])]
    return {
        "object": "list",
        "url": url,
        "has_more": len(newest_first) > limit,
        "data": [expanded(world, one, paths) for one in newest_first[:limit]],
    }
