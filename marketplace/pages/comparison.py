"""The page that says what changed between two versions of a model, and whether it breaks those who call it."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.authentication import session_caller
from marketplace.pages.model_head import head
from models_catalog import lookup
from models_catalog.models import Version
from models_catalog.schemas import Change, compare
from runner.shown_values import as_json


@dataclass(frozen=True, slots=True)
class Row:
    """One input, or the output. before, after: its schema as JSON, "" where it is absent; of a change what differs."""

    name: str
    kind: str
    is_breaking: bool
    before: str
    after: str


@require_safe
def comparison(request: HttpRequest, owner: str, name: str, version_id: str, other_id: str) -> HttpResponse:
    """From one version to another."""
    caller = session_caller(request)
    model = lookup.get_model(caller, owner, name)
    before, after = (lookup.get_version(caller, model, pk) for pk in (version_id, other_id))
    found = compare(before.openapi_schema, after.openapi_schema)
    groups = (("New", found.added), ("Gone", found.removed), ("Changed", found.changed))
    rows = [_row(change, kind) for kind, changes in groups for change in changes]
    if found.output:
        rows.append(_row(found.output, "Output"))
    context = {**head(caller, model, "versions"), "before": before, "after": after, "found": found, "rows": rows}
    return render(request, "models_catalog/model_comparison.html", context)


def predecessors(versions: list[Version]) -> dict[str, str]:
    """By id of a version that can run, the id of the one before it. versions: newest first."""
    ready = [version.pk for version in versions if version.is_ready]
    return dict(pairwise(ready))


def _row(change: Change, kind: str) -> Row:
    before, after = _differing(change.before, change.after)
    return Row(change.name, kind, change.is_breaking, before, after)


def _differing(before: dict[str, Any] | None, after: dict[str, Any] | None) -> tuple[str, str]:
    """Both as JSON, without the members that are the same in both."""
    if before is None or after is None:
        return (as_json(before) if before else ""), (as_json(after) if after else "")
    same = {key for key in before.keys() & after.keys() if before[key] == after[key]} | {"x-order"}
    one, other = ({key: part[key] for key in part if key not in same} for part in (before, after))
    return (as_json(one) if one else ""), (as_json(other) if other else "")
