"""Forms of the account pages."""

import secrets
from typing import Any

from django import forms


def new_form_key() -> str:
    """Tells one rendering of a form from another, so that sending it twice does its work once."""
    return secrets.token_urlsafe(16)


class NewTokenForm(forms.Form):
    """Asks for a token's name."""

    name = forms.CharField(
        max_length=64,
        label="Name",
        help_text="What will use it, for example “laptop” or “production”.",
        error_messages={"required": "Give the token a name, so that you know later what uses it."},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    form_key = forms.CharField(max_length=64, widget=forms.HiddenInput)


class KeptDataForm(forms.Form):
    """Asks how long the data of API predictions is kept; "" is as the installation says."""

    seconds = forms.TypedChoiceField(
        coerce=int,
        empty_value=None,
        required=False,
        label="Keep input, output, logs and files of API runs for",
        help_text="Counted from a run's end; also for runs that have ended already. What was removed stays removed.",
    )

    def __init__(self, data: Any = None, *, installation_seconds: int, chosen: int | None) -> None:
        super().__init__(data, initial={"seconds": "" if chosen is None else chosen})
        offered = sorted({*_KEPT_SECONDS, *([] if chosen is None else [chosen])})
        default = ("", f"{duration_in_words(installation_seconds)} (this site's default)")
        field = self.fields["seconds"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [default, *((seconds, duration_in_words(seconds)) for seconds in offered)]


_DAY = 24 * 3600
_KEPT_SECONDS = (3600, _DAY, 7 * _DAY, 30 * _DAY, 90 * _DAY, 365 * _DAY)


def duration_in_words(seconds: int) -> str:
    """`1 hour`, `30 days`, `90 seconds`: in the largest unit that divides it."""
    for unit, name in ((_DAY, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds % unit == 0:
            count = seconds // unit
            return f"{count:,} {name}{'' if count == 1 else 's'}"
    raise AssertionError("unreachable")
