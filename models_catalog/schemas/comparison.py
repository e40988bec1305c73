"""What changed between two versions' schemas, and what of it breaks those who call the older one.

Pure: documents in, values out. An input breaks where a call that was fine would be refused or mean something else, the
output where it may be what it never was. Texts, defaults and wider rules do not break; which rules there are says
`narrowing`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models_catalog.schemas.documents import Document, component, expanded, properties
from models_catalog.schemas.forms import place
from models_catalog.schemas.narrowing import INPUT_WORDS, OUTPUT_WORDS, differences, required_members
from models_catalog.schemas.outputs import is_concatenated, is_iterator

_PLACE = "x-order"  # moves when another input is put before: no change of this one


@dataclass(frozen=True, slots=True)
class Change:
    """One input, or the output. before, after: its schema with references followed, None where it is absent.

    breaking: a sentence for each thing that breaks callers.
    """

    name: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    breaking: tuple[str, ...] = ()

    @property
    def is_breaking(self) -> bool:
        return bool(self.breaking)


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that changed. output: None if it did not."""

    added: Sequence[Change]
    removed: Sequence[Change]
    changed: Sequence[Change]
    output: Change | None

    @property
    def breaking(self) -> list[str]:
        """What breaks callers, a sentence each: inputs first."""
        output = (self.output,) if self.output else ()
        return [line for part in (*self.removed, *self.changed, *self.added, *output) for line in part.breaking]

    @property
    def is_same(self) -> bool:
        return not (self.added or self.removed or self.changed or self.output)


def compare(before: Document, after: Document) -> Comparison:
    """The change from one version's schema document to another's: `Input` and `Output`.

    Inputs are in the author's order. Nothing is raised: documents were checked when they were built.
    """
    old, new = _inputs(before), _inputs(after)
    old_needed, new_needed = (required_members(component(document, "Input")) for document in (before, after))
    changes = [
        _input_change(name, old[name], new[name], needed=(name in old_needed, name in new_needed))
        for name in new
        if name in old
    ]
    return Comparison(
        added=[_added(name, new[name], is_needed=name in new_needed) for name in new if name not in old],
        removed=[_removed(name, old[name]) for name in old if name not in new],
        changed=[change for change in changes if change],
        output=_output_change(before, after),
    )


def _inputs(document: Document) -> dict[str, dict[str, Any]]:
    fields = properties(document)
    return {name: expanded(document, fields[name]) for name in sorted(fields, key=lambda name: place(fields[name]))}


def _added(name: str, schema: dict[str, Any], *, is_needed: bool) -> Change:
    return Change(name, None, schema, (f"input.{name}: is new and required.",) if is_needed else ())


def _removed(name: str, schema: dict[str, Any]) -> Change:
    return Change(name, schema, None, (f"input.{name}: is gone.",))


def _input_change(
    name: str, before: dict[str, Any], after: dict[str, Any], *, needed: tuple[bool, bool]
) -> Change | None:
    """needed: whether it was and is required."""
    more = [f"input.{name}: is required now."] if needed == (False, True) else []
    less = [f"input.{name}{path}: {words}." for path, words in differences(before, after, INPUT_WORDS)]
    is_same = needed[0] == needed[1] and _without_place(before) == _without_place(after)
    return None if is_same else Change(name, before, after, (*more, *less))


def _without_place(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != _PLACE}


def _output_change(before: Document, after: Document) -> Change | None:
    old, new = (expanded(document, component(document, "Output")) for document in (before, after))
    # The other way round: whoever reads the output must have known all that may come.
    more = [f"output{path}: {words}." for path, words in differences(new, old, OUTPUT_WORDS)]
    change = Change("output", old, new, (*more, *_delivery(before, after)))
    return change if old != new else None


def _delivery(before: Document, after: Document) -> list[str]:
    """Clients treat lists that grow, and pieces of one text, in ways of their own.  Source: replicate-api.md 6.2."""
    if is_iterator(before) != is_iterator(after):
        return ["output: comes item by item now." if is_iterator(after) else "output: comes as a whole now."]
    if is_concatenated(before) != is_concatenated(after):
        joined = is_concatenated(after)
        return ["output: its items are pieces of one text now." if joined else "output: its items stand alone now."]
    return []
