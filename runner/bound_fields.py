"""A version's form, filled in: each `FormField` with its value, its errors and the ids that tie its parts together.

Templates only read these. Secrets are never filled in, whatever the input says.  Source: product-ux.md 0.7, 3.3.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marketplace.lib.problems import InvalidField
from models_catalog.schemas import REDACTED, Document, FieldKind, FormField, form_fields
from runner.forms import MEMBER_SUFFIX, PREFIX, choice_text, is_row_list

_GROUPS = frozenset({"segmented", "list", "file"})
SHOWN_FIRST = 6  # inputs beyond these are folded away, unless they are required or differ from their default


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a choice."""

    value: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class BoundField:
    """One input on a page. values: what is in its boxes, as text; a list has one for each row."""

    field: FormField
    control: str  # the template's name: fields/_<control>.html
    values: tuple[str, ...]
    errors: tuple[str, ...]
    choices: tuple[Choice, ...] = ()
    is_set: bool = False  # it has a value that differs from its default

    @property
    def name(self) -> str:
        """In the form."""
        return PREFIX + self.field.name

    @property
    def member_name(self) -> str:
        """In the form: which member of a union."""
        return self.name + MEMBER_SUFFIX

    @property
    def id(self) -> str:
        """Of its control."""
        return f"input-{self.field.name}"

    @property
    def value(self) -> str:
        """The text of a single box."""
        return self.values[0] if self.values else ""

    @property
    def described_by(self) -> str:
        """For `aria-describedby`: the hint, and the place of errors, which is empty while there are none."""
        return f"{self.id}-hint {self.id}-error"

    @property
    def is_group(self) -> bool:
        """Is it several controls, labelled together?"""
        return self.control in _GROUPS

    @property
    def is_checked(self) -> bool:
        """Of a switch."""
        return self.value == "true"

    @property
    def may_be_unset(self) -> bool:
        """Has it a state "not set"?"""
        return not self.field.required and not self.field.has_default

    @property
    def default_text(self) -> str:
        """The default in words, empty for none worth saying."""
        if not self.field.has_default or self.field.default in (None, "", [], {}):
            return ""
        if self.field.kind is FieldKind.SWITCH:
            return "on" if self.field.default else "off"
        return _as_text(self.field.default)

    @property
    def hint(self) -> str:
        """What it is, its bounds and its default, in one line."""
        default = f"Default: {self.default_text}" if self.default_text else ""
        return " · ".join(filter(None, (self.field.description, self.range_text, shortened(default, 100))))

    @property
    def json_default(self) -> str:
        """The default as the API takes it, empty for none worth saying."""
        return shortened(_as_text(self.field.default), 60) if self.default_text else ""

    @property
    def range_text(self) -> str:
        """The bounds in words, empty for none."""
        low, high = self.field.minimum, self.field.maximum
        if low is not None and high is not None:
            return f"{low} to {high}"
        return f"At least {low}" if low is not None else f"At most {high}" if high is not None else ""

    @property
    def item_choices(self) -> list[str]:
        """What a list's row may be, where it is a choice."""
        return [choice_text(choice) for choice in self.field.item.choices] if self.field.item else []

    @property
    def item_control(self) -> str:
        """The control of a list's rows."""
        return _control(self.field.item) if self.field.item else "text"


@dataclass(frozen=True, slots=True)
class BoundForm:
    """All inputs: those in sight, and those under "More options". `summary` are errors of no single field."""

    shown: tuple[BoundField, ...]
    folded: tuple[BoundField, ...]
    summary: tuple[str, ...]

    @property
    def is_valid(self) -> bool:
        """Nothing is wrong with it."""
        return not self.summary and not any(field.errors for field in self.fields)

    @property
    def fields(self) -> tuple[BoundField, ...]:
        """All of them, in order."""
        return self.shown + self.folded

    @property
    def is_open(self) -> bool:
        """Do folded ones need to be seen?"""
        return any(field.errors or field.is_set for field in self.folded)


def bind(schema: Document, value: Mapping[str, Any], invalid: Iterable[InvalidField] = ()) -> BoundForm:
    """The form with an input's values (defaults where it has none) and what is wrong with them."""
    by_name: dict[str, list[str]] = {}
    summary = []
    fields = form_fields(schema)
    names = {field.name for field in fields}
    for one in invalid:
        name = field_of(one)
        if name in names:
            by_name.setdefault(name, []).append(one.description)
        else:
            summary.append(f"{one.field}: {one.description}" if one.field else one.description)
    bound = [_bind_one(field, value, by_name.get(field.name, ())) for field in fields]
    shown = [one for index, one in enumerate(bound) if index < SHOWN_FIRST or one.field.required]
    folded = [one for one in bound if one not in shown]
    if len(folded) == 1:  # a fold for one input hides more than it saves
        shown, folded = bound, []
    return BoundForm(tuple(shown), tuple(folded), tuple(summary))


def field_of(invalid: InvalidField) -> str:
    """The input that a violation is about: of `input.images.0` it is `images`; a missing one is named in the words."""
    parts = invalid.field.split(".")
    if parts[0] == "input" and len(parts) > 1:
        return parts[1]
    return invalid.description.removesuffix(" is required") if invalid.type == "required" else ""


def _bind_one(field: FormField, value: Mapping[str, Any], errors: Sequence[str]) -> BoundField:
    given = value.get(field.name, field.default if field.has_default else None)
    if field.is_secret or given == REDACTED:
        given = None
    values = _values(field, given)
    return BoundField(
        field=field,
        control=_control(field),
        values=values,
        errors=tuple(errors),
        choices=tuple(Choice(choice_text(choice), choice_text(choice) in values) for choice in field.choices),
        is_set=field.name in value and value[field.name] != field.default,
    )


def _control(field: FormField) -> str:
    if field.kind is FieldKind.LIST and not is_row_list(field):
        return "json"
    return "number" if field.kind is FieldKind.INTEGER else str(field.kind)


def _values(field: FormField, given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    if is_row_list(field) and isinstance(given, list):
        return tuple(_as_text(item) for item in given)
    if field.kind in (FieldKind.JSON, FieldKind.LIST):
        return (json.dumps(given, indent=2, ensure_ascii=False),)
    return (_as_text(given),)


def shortened(text: str, most: int) -> str:
    """The text, cut with an ellipsis where it is longer than that many characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
