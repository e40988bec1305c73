"""What a request to create a prediction says: its body, and the headers `Prefer` and `Cancel-After`.

Every violation of a body is reported, in the words that API clients know.
Source: replicate-api.md 1.8.2, 2.3, 3.4, 3.5.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from marketplace.lib import egress
from marketplace.lib.json_types import wrong_type
from marketplace.lib.problems import InputInvalid, InvalidField, Problem
from runner import tags

WEBHOOK_EVENTS = ("start", "output", "logs", "completed")
LONGEST_HOLD_SECONDS = 58.0  # one client gives up after 60 s and would create the prediction a second time
_LONGEST_PREFERENCE = 60.0
_READ_TIMEOUT_MARGIN = 2.0
_MEMBERS = {
    "input": (dict, "object"),
    "version": (str, "string"),
    "stream": (bool, "boolean"),
    "webhook": (str, "string"),
    "webhook_events_filter": (list, "array"),
    "webhook_completed": (str, "string"),
    # Extensions
    "tags": (list, "array"),
    "dry_run": (bool, "boolean"),
    "quote": (str, "string"),
}
_NOT_OF_TRAININGS = ("version", "stream", "quote")
_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?")
_SHORTEST_DEADLINE, _LONGEST_DEADLINE = 5, 24 * 3600


class InvalidCancelAfter(Problem):
    """The header is no duration, or out of range."""

    title = "Invalid Cancel-After header"


@dataclass(frozen=True, slots=True)
class CreationBody:
    """A body whose shape is right; whether the input fits the version is not known yet."""

    input: dict[str, Any]
    version: str
    webhook: str
    webhook_events: list[str] | None
    is_webhook_legacy: bool
    tags: list[str]
    is_dry_run: bool = False
    quote: str = ""  # id of a binding quote


@dataclass(frozen=True, slots=True)
class Hold:
    """How long to wait for the end, and what to say of it in `Preference-Applied`."""

    seconds: float
    applied: str


def parse_body(body: Mapping[str, Any], *, needs_version: bool) -> CreationBody:
    """Check the members. needs_version: the path names no model.

    Raises InputInvalid with all violations.
    """
    required = ["version", "input"] if needs_version else ["input"]
    return _parse(body, required, needs_version=needs_version)


def parse_rerun_body(body: Mapping[str, Any]) -> CreationBody:
    """As `parse_body`, of a call that runs a prediction again: nothing must be given, `version` may be."""
    return _parse(body, [], needs_version=True)


def _parse(body: Mapping[str, Any], required: Sequence[str], *, needs_version: bool) -> CreationBody:
    known = _MEMBERS if needs_version else {name: kind for name, kind in _MEMBERS.items() if name != "version"}
    if problems := member_problems(body, known, required):
        raise InputInvalid(problems)
    legacy = not body.get("webhook") and bool(body.get("webhook_completed"))
    events = body.get("webhook_events_filter")
    return CreationBody(
        input=body.get("input") or {},
        version=body.get("version") or "",
        webhook=body.get("webhook") or body.get("webhook_completed") or "",
        webhook_events=["completed"] if legacy else None if events is None else list(dict.fromkeys(events)),
        is_webhook_legacy=legacy,
        tags=tags.unique(body.get("tags") or []),
        is_dry_run=bool(body.get("dry_run")),
        quote=body.get("quote") or "",
    )


def member_problems(
    body: Mapping[str, Any], known: Mapping[str, tuple[type, str]], required: Sequence[str]
) -> list[InvalidField]:
    """What is wrong with a body's members, whatever creates with it. known: their types, and these types' names."""
    problems = [InvalidField("required", "", f"{name} is required") for name in required if name not in body]
    problems += [
        InvalidField("additional_property_not_allowed", "", f"Additional property {name} is not allowed")
        for name in body
        if name not in known
    ]
    for name, (kind, word) in known.items():
        value = body.get(name)
        if name not in body or (value is None and name not in required):
            continue
        if not isinstance(value, kind):
            problems.append(InvalidField("invalid_type", name, wrong_type(word, value)))
        elif name in ("webhook", "webhook_completed"):
            problems += webhook_problems(name, str(value))
        elif name == "webhook_events_filter":
            problems += _filter_problems(list(body[name]))
        elif name == "tags":
            problems += tags.problems(list(body[name]))
    return problems


def parse_training_body(body: Mapping[str, Any]) -> CreationBody:
    """The body of a request to train, apart from its destination. Members that nobody knows are ignored.

    Raises InputInvalid with all violations.  Source: replicate-api.md 2.10.
    """
    known = {name: value for name, value in body.items() if name in _MEMBERS and name not in _NOT_OF_TRAININGS}
    return parse_body(known, needs_version=False)


def webhook_problems(field: str, url: str) -> Iterator[InvalidField]:
    """What can be said of a webhook's address before it is used; where its name leads is checked at each delivery."""
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"[\s\x00-\x1f]", url)
    except ValueError:
        is_url = False
    if not is_url:
        yield InvalidField("format", field, "Does not match format 'uri'")
        return
    try:
        egress.check_url(url)
    except egress.EgressRefused as error:
        yield InvalidField("format", field, f"Must be an address on the public internet: {error}")


def preferred_hold(prefer: str, read_timeout: str) -> Hold | None:
    """What `Prefer` asks for; None: answer at once. read_timeout: of the header `x-stainless-read-timeout`, or "".

    Junk is ignored. Source: replicate-api.md 2.3, 3.5.
    """
    for preference in prefer.split(","):
        name, has_value, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() != "wait":
            continue
        number = value.strip().strip('"')
        if has_value and not re.fullmatch(r"\d{1,9}(\.\d+)?", number):
            return None
        wanted = min(float(number), _LONGEST_PREFERENCE) if has_value else _LONGEST_PREFERENCE
        if wanted < 1:
            return None
        seconds = min(wanted, LONGEST_HOLD_SECONDS, _client_patience(read_timeout))
        return Hold(seconds, f"wait={wanted:g}" if has_value else "wait")
    return None


def _client_patience(read_timeout: str) -> float:
    """Seconds until the client would hang up and try again."""
    if not re.fullmatch(r"\d{1,9}(\.\d+)?", read_timeout.strip()):
        return LONGEST_HOLD_SECONDS
    return max(0.0, float(read_timeout) - _READ_TIMEOUT_MARGIN)


@contextlib.contextmanager
def answered_with(hold: Hold | None) -> Iterator[None]:
    """Problems from here on say which preference was honoured, as successes do.  Source: replicate-api.md 1.10."""
    try:
        yield
    except Problem as problem:
        if hold:
            problem.headers = {**problem.headers, "Preference-Applied": hold.applied}
        raise


def parse_cancel_after(header: str | None) -> int | None:
    """Seconds until the deadline; None without the header. Raises InvalidCancelAfter.  Source: replicate-api.md 2.3."""
    if header is None:
        return None
    text = header.strip().lower()
    match = _DURATION.fullmatch(f"{text}s" if text.isdecimal() else text)
    if not match:
        raise InvalidCancelAfter(f'Expected a duration like 30, 90s, 5m or 1h30m45s, got "{header[:50]}"')
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = hours * 3600 + minutes * 60 + seconds
    if not _SHORTEST_DEADLINE <= total <= _LONGEST_DEADLINE:
        raise InvalidCancelAfter(f"Must be between 5 seconds and 24 hours, got {total} seconds")
    return total


def _filter_problems(events: Sequence[Any]) -> Iterator[InvalidField]:
    for index, event in enumerate(events):
        field = f"webhook_events_filter.{index}"
        if not isinstance(event, str):
            yield InvalidField("invalid_type", field, wrong_type("string", event))
        elif event not in WEBHOOK_EVENTS:
            options = ", ".join(orjson.dumps(option).decode() for option in WEBHOOK_EVENTS)
            yield InvalidField("enum", field, f"{index} must be one of the following: {options}")
