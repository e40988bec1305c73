"""Stripe's wire form: `items[0][price]=x&expand[]=y` and what it means, both ways."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
Pairs = list[tuple[str, str]]


def pairs(text: str) -> Pairs:
    """A query string or a form body as its pairs, empty values kept."""
    return parse_qsl(text, keep_blank_values=True)


def nested(flat: Pairs) -> dict[str, Any]:
    """Pairs as dicts and lists of strings; what `[]`, `[0]`, `[1]` … number becomes a list."""
    root: dict[str, Any] = {}
    for key, value in flat:
        matched = _KEY.fullmatch(key)
        names = [matched[1], *re.findall(r"\[([^\[\]]*)\]", matched[2])] if matched else [key]
        at = root
        for name in names[:-1]:
            at = at.setdefault(name or str(len(at)), {})
        at[names[-1] or str(len(at))] = value
    return {name: _listed(value) for name, value in root.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(each) for name, each in value.items()}
    if inner and all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def flat(params: dict[str, Any]) -> Pairs:
    """The other way: dicts and lists as pairs to send; None is left out."""
    return [pair for name, value in params.items() for pair in _flattened(name, value)]


def _flattened(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _flattened(f"{name}[{key}]", each)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _flattened(f"{name}[{index}]", each)
    elif isinstance(value, bool):
        yield name, str(value).lower()
    elif value is not None:
        yield name, str(value)


def fits(pattern: str, path: str) -> bool:
    """Whether the whole path is as the pattern says."""
    return re.fullmatch(pattern, path) is not None
