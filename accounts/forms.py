"""Forms of the account pages."""

import secrets

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
