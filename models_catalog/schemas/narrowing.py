"""What one schema allows and another does not, rule by rule; used in both directions.

Inputs break where the new schema takes less than the old one did, outputs where the new one may give what the old one
never gave. `INPUT_WORDS` and `OUTPUT_WORDS` say which of the rules matter in which direction, and how that is told.
Schemas are OpenAPI 3.0's, with their references followed by `documents.expanded`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

_MOST_PAIRS = 3_000  # two unions are compared each with each: a stranger's schema must not keep us for long
_KINDS = {
    "file": "a file",
    "string": "text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "": "any value",
}
_LEAST = {"minimum": "minimum", "minLength": "least length", "minItems": "least number of items"}
_MOST = {"maximum": "maximum", "maxLength": "greatest length", "maxItems": "greatest number of items"}
_COMBINATIONS = ("allOf", "oneOf", "not")

Words = Mapping[str, str]  # rule → words with {wide} and {narrow}; rules without words do not matter
Node = dict[str, Any]
Difference = tuple[str, str]  # where below the schema ("", "[]", ".width"), what in words

INPUT_WORDS: Words = {
    "kind": "takes {narrow} instead of {wide}",
    "null": "no longer takes null",
    "choices": "no longer takes {wide}",
    "only": "takes only {narrow} now",
    "limit": "the {narrow} now (before: {wide})",
    "pattern": "must match the pattern {narrow} now",
    "step": "must be a multiple of {narrow} now",
    "unique": "must have no item twice now",
    "member_gone": "no longer takes {wide}",
    "member_needed": "needs {narrow} now",
    "closed": "takes no other members now",
    "combination": "follows other rules now ({narrow})",
    "too_large": "is too large to be compared",
}
OUTPUT_WORDS: Words = {
    "kind": "gives {wide} instead of {narrow}",
    "null": "may be null now",
    "choices": "may be {wide} now",
    "only": "may be any value now, not only {narrow}",
    "member_new": "no longer has {narrow}",
    "member_needed": "may lack {narrow} now",
    "combination": "follows other rules now ({narrow})",
    "too_large": "is too large to be compared",
}


@dataclass(slots=True)
class _Walk:
    """One comparison: its rules, and how many pairs of nodes it may still look at."""

    words: Words
    pairs_left: int = _MOST_PAIRS


def differences(wide: Node, narrow: Node, words: Words) -> Iterator[Difference]:
    """All that `wide` allows and `narrow` does not, of the rules that `words` knows."""
    for place, rule, of_wide, of_narrow in _relevant(wide, narrow, _Walk(words), ""):
        yield place, words[rule].format(wide=of_wide, narrow=of_narrow)


_Found = tuple[str, str, str, str]  # where, rule, what of the wide and of the narrow one


def _relevant(wide: Node, narrow: Node, walk: _Walk, path: str) -> Iterator[_Found]:
    return (found for found in _compared(wide, narrow, walk, path) if found[1] in walk.words)


def _compared(wide: Node, narrow: Node, walk: _Walk, path: str) -> Iterator[_Found]:
    if wide == narrow:
        return
    walk.pairs_left -= 1
    if walk.pairs_left < 0:
        yield path, "too_large", "", ""
        return
    if wide.get("nullable") is True and narrow.get("nullable") is not True:
        yield path, "null", "", ""
    if "anyOf" in wide or "anyOf" in narrow:
        yield from _unions(wide, narrow, walk, path)
        return
    if not _is_within(_kind(wide), _kind(narrow)):
        yield path, "kind", _KINDS[_kind(wide)], _KINDS[_kind(narrow)]
        return
    yield from ((path, *found) for found in _values(wide, narrow))
    if "items" in narrow:
        yield from _compared(_part(wide, "items"), _part(narrow, "items"), walk, f"{path}[]")
    if _kind(narrow) == "object":
        yield from _members(wide, narrow, walk, path)


def _unions(wide: Node, narrow: Node, walk: _Walk, path: str) -> Iterator[_Found]:
    for one in _alternatives(wide):
        fits = (not any(_relevant(one, other, walk, path)) for other in _alternatives(narrow))
        is_taken = any(fits)
        if walk.pairs_left < 0:
            yield path, "too_large", "", ""
            return
        if not is_taken:
            yield path, "choices", _named(one), ""


def _alternatives(node: Node) -> list[Node]:
    members = node.get("anyOf")
    alone = {key: value for key, value in node.items() if key != "nullable"}
    return [member for member in members if isinstance(member, dict)] if isinstance(members, list) else [alone]


def _named(node: Node) -> str:
    choices = node.get("enum")
    return _listed(choices) if isinstance(choices, list) else _KINDS[_kind(node)]


def _kind(node: Node) -> str:
    kind = node.get("type")
    if kind == "string" and node.get("format") == "uri":
        return "file"
    return kind if isinstance(kind, str) and kind in _KINDS else ""


def _is_within(wide: str, narrow: str) -> bool:
    return narrow in ("", wide) or (wide, narrow) == ("integer", "number")


def _values(wide: Node, narrow: Node) -> Iterator[tuple[str, str, str]]:
    """Rules for the value itself: rule, of the wide one, of the narrow one."""
    yield from _choices(wide.get("enum"), narrow.get("enum"))
    yield from _limits(wide, narrow)
    if "pattern" in narrow and narrow["pattern"] != wide.get("pattern"):
        yield "pattern", "", str(narrow["pattern"])
    if not _is_multiple(wide.get("multipleOf"), narrow.get("multipleOf")):
        yield "step", "", str(narrow["multipleOf"])
    if narrow.get("uniqueItems") is True and wide.get("uniqueItems") is not True:
        yield "unique", "", ""
    for name in _COMBINATIONS:
        if name in narrow and narrow[name] != wide.get(name):
            yield "combination", "", name


def _choices(wide: object, narrow: object) -> Iterator[tuple[str, str, str]]:
    if not isinstance(narrow, list):
        return
    if not isinstance(wide, list):
        yield "only", "", _listed(narrow)
        return
    allowed = {json.dumps(value, sort_keys=True) for value in narrow}  # 1 and true are two values
    gone = [value for value in wide if json.dumps(value, sort_keys=True) not in allowed]
    if gone:
        yield "choices", _listed(gone), ""


def _listed(values: Iterable[object]) -> str:
    return ", ".join(json.dumps(value, ensure_ascii=False) for value in values)


def _limits(wide: Node, narrow: Node) -> Iterator[tuple[str, str, str]]:
    for keys, sign in ((_LEAST, 1), (_MOST, -1)):
        for key, name in keys.items():
            before, after = _limit(wide, key) or _limit_of_choices(wide, key), _limit(narrow, key)
            if after is None:
                continue
            if before is None or (sign * after[0], after[1]) > (sign * before[0], before[1]):
                yield "limit", _limit_words(before), f"{name} is {_limit_words(after)}"


def _limit(node: Node, key: str) -> tuple[float, bool] | None:
    """The bound, and whether it is excluded itself."""
    exclusive = node.get(f"exclusive{key.capitalize()}")
    if _is_number(exclusive):  # as later versions of OpenAPI write it
        return exclusive, True
    bound = node.get(key)
    return (bound, exclusive is True) if _is_number(bound) else None


def _limit_of_choices(node: Node, key: str) -> tuple[float, bool] | None:
    """The bound that choices of numbers make."""
    choices = node.get("enum")
    if key in ("minimum", "maximum") and isinstance(choices, list) and choices and all(map(_is_number, choices)):
        return (min if key == "minimum" else max)(choices), False
    return None


def _limit_words(limit: tuple[float, bool] | None) -> str:
    if limit is None:
        return "none"
    return f"{limit[0]}, itself excluded" if limit[1] else str(limit[0])


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_multiple(wide: Any, narrow: Any) -> bool:
    if not _is_number(narrow) or not narrow:
        return True
    return _is_number(wide) and wide % narrow == 0


def _members(wide: Node, narrow: Node, walk: _Walk, path: str) -> Iterator[_Found]:
    before, after = _part(wide, "properties"), _part(narrow, "properties")
    for name in sorted(before.keys() - after.keys()):
        yield path, "member_gone", name, ""
    new = after.keys() - before.keys()
    for name in sorted(new):
        yield path, "member_new", "", name
    for name in sorted(
        required_members(narrow) - required_members(wide) - (new if "member_new" in walk.words else set())
    ):
        yield path, "member_needed", "", name
    if narrow.get("additionalProperties") is False and wide.get("additionalProperties") is not False:
        yield path, "closed", "", ""
    if isinstance(narrow.get("additionalProperties"), dict):
        rest = _part(wide, "additionalProperties"), _part(narrow, "additionalProperties")
        yield from _compared(*rest, walk, f"{path}.*")
    for name in sorted(before.keys() & after.keys()):
        yield from _compared(_part(before, name), _part(after, name), walk, f"{path}.{name}")


def _part(node: Node, name: str) -> Node:
    part = node.get(name)
    return part if isinstance(part, dict) else {}


def required_members(node: Node) -> set[str]:
    """The names that an object must have."""
    names = node.get("required")
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()
