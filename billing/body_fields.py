"""Members of JSON bodies about money, read one after the other; all that is wrong is told together."""

from collections.abc import Mapping, Sequence
from typing import Any

from billing.cents import nanos_per_minor
from billing.money import Nanos, parse_amount
from marketplace.lib.problems import FieldError, ValidationFailed

_REQUIRED = "This field is required."


class BodyFields:
    """A body being read. What was wrong reads as a stand-in; `ensure_valid` raises before anybody uses it."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self._errors: list[FieldError] = []

    def ensure_valid(self) -> None:
        """Raises ValidationFailed with all that was wrong."""
        if self._errors:
            raise ValidationFailed(self._errors)

    def amount(self, name: str, default: int | None = None) -> Nanos:
        """A decimal string, 0 or more, in nanos. default: without the member, which is required where it is None."""
        value = self._body.get(name)
        if value is None and default is not None:
            return Nanos(default)
        found = parse_amount(value)
        if found is None:
            self._refuse(name, _REQUIRED if name not in self._body else 'Must be a decimal string like "25.00".')
        return found or Nanos(0)

    def amount_or_none(self, name: str) -> Nanos | None:
        """As `amount`; None for null and without the member."""
        return None if self._body.get(name) is None else self.amount(name)

    def minor_units(self, name: str, currency: str) -> int:
        """A required decimal string in whole minor units, cents for example."""
        nanos = self.amount(name)
        whole, rest = divmod(nanos, nanos_per_minor(currency))
        if rest:
            self._refuse(name, "Must have no more decimals than the currency.")
        return whole

    def boolean(self, name: str, default: bool | None = None) -> bool:
        """true or false. default: as of `amount`."""
        value = self._body.get(name, default)
        if not isinstance(value, bool):
            self._refuse(name, _REQUIRED if name not in self._body else "Must be true or false.")
            return False
        return value

    def text(self, name: str, default: str = "") -> str:
        """A text, "" too."""
        value = self._body.get(name, default)
        if not isinstance(value, str) or "\x00" in value:
            self._refuse(name, "Must be a string.")
            return default
        return value

    def choice(self, name: str, options: Sequence[str], default: str | None = None) -> str:
        """One of some texts. default: as of `amount`."""
        value = self._body.get(name, default)
        if value not in options:
            self._refuse(name, _REQUIRED if value is None else f"Must be one of {', '.join(options)}.")
            return options[0]
        return str(value)

    def _refuse(self, name: str, why: str) -> None:
        self._errors.append(FieldError(f"/{name}", why))
