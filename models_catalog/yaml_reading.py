"""Reading YAML that somebody else wrote: typed values out, every mistake with its dotted path.

A `Reader` walks the parsed document and collects `ConfigError`s instead of stopping at the first, so that a publisher
mends a file once.  A value that is wrong is reported and read as None.  Knows nothing of cog.yaml's keys.
"""

import difflib
import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

import yaml


@dataclass(frozen=True)
class ConfigError:
    """One mistake. `field`: dotted path, "" for the whole file. `message`: what was expected, a full sentence."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class DuplicateKey(yaml.YAMLError):
    """The same key twice in one mapping: YAML libraries silently keep the last."""


class _StrictLoader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        seen: set[object] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise DuplicateKey(f"{key.value!r} appears twice (line {key.start_mark.line + 1}).")
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep=deep)


def load(text: str) -> object:
    """The document as plain Python values. Raises yaml.YAMLError, also for a key that appears twice."""
    return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - it is a SafeLoader


@dataclass
class Reader:
    """Typed reading with collected errors; paths are dotted, with `[n]` for list items."""

    errors: list[ConfigError] = field(default_factory=list)

    def wrong(self, path: str, message: str) -> None:
        self.errors.append(ConfigError(path, message))

    def mapping(self, value: object, path: str, known: Iterable[str]) -> dict[str, object] | None:
        """A mapping with only known keys; unknown ones are reported with the nearest known one."""
        if not isinstance(value, dict):
            self._expected("a mapping", value, path)
            return None
        known = sorted(known)
        for key in value:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                hint = f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(known)}."
                self.wrong(join(path, str(key)), f"Unknown key. {hint}")
        return {key: value[key] for key in known if key in value}

    def string(self, value: object, path: str) -> str | None:
        if isinstance(value, str) and value.strip():
            return value
        self._expected("a non-empty string", value, path)
        return None

    def matching(self, value: object, path: str, pattern: str, expected: str) -> str | None:
        text = self.string(value, path)
        if text is not None and not re.fullmatch(pattern, text):
            self._expected(expected, value, path)
            return None
        return text

    def boolean(self, value: object, path: str) -> bool | None:
        if isinstance(value, bool):
            return value
        self._expected("true or false", value, path)
        return None

    def integer(self, value: object, path: str, *, at_least: int) -> int | None:
        if isinstance(value, int) and not isinstance(value, bool) and value >= at_least:
            return value
        self._expected(f"an integer of at least {at_least}", value, path)
        return None

    def items(self, value: object, path: str) -> list[tuple[str, object]]:
        """The items of a list, each with its path; nothing if it is no list."""
        if not isinstance(value, list):
            self._expected("a list", value, path)
            return []
        return [(f"{path}[{number}]", item) for number, item in enumerate(value)]

    def strings(self, value: object, path: str) -> tuple[str, ...]:
        found = [self.string(item, at) for at, item in self.items(value, path)]
        return tuple(text for text in found if text is not None)

    def _expected(self, expected: str, value: object, path: str) -> None:
        self.wrong(path, f"Expected {expected}, got {describe(value)}.")


def join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def describe(value: object) -> str:
    """The value in few words; containers only by kind: a hostile document nests them without end."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and value.bit_length() > 256:
        return "a very large integer"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
