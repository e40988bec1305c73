"""Forms of the pages about money. Amounts are typed in dollars and cleaned to integers."""

import decimal
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.cache import cache

from billing.models import BillingAccount, LimitPeriod
from billing.money import NANOS_PER_CENT
from marketplace.lib.ids import new_id
from marketplace.lib.problems import Problem, ValidationFailed

_FORM_KEY_SECONDS = 24 * 3600


class DollarField(forms.DecimalField):
    """Dollars and cents as people type them, `50` or `$1,250.00`; cleaned to an integer of cents, None for nothing."""

    def __init__(self, **kwargs: Any) -> None:
        attributes = {"inputmode": "decimal", "autocomplete": "off"}
        super().__init__(
            max_digits=12, decimal_places=2, min_value=0, widget=forms.TextInput(attrs=attributes), **kwargs
        )

    def to_python(self, value: Any) -> Any:
        """Without the sign and the commas."""
        return super().to_python(value.replace("$", "").replace(",", "").strip() if isinstance(value, str) else value)

    def clean(self, value: Any) -> Any:
        """Cents."""
        dollars = super().clean(value)
        return None if dollars is None else int(dollars * 100)


class BuyForm(forms.Form):
    """How much credit to buy. form_key: sent twice, it buys once."""

    amount = DollarField(label="Amount in dollars", help_text="Tax, if any, is added on the payment page.")
    form_key = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def is_first(self, account_id: int) -> bool:
        """Was this rendering of the form not sent before? Asked once, before anything is bought."""
        return cache.add(f"buy-form:{account_id}:{self.cleaned_data['form_key']}", 1, _FORM_KEY_SECONDS)


def empty_buy_form() -> BuyForm:
    """With a fresh key."""
    return BuyForm(initial={"amount": "50", "form_key": new_id()})


class AutoReloadForm(forms.Form):
    """When credit is bought by itself."""

    enabled = forms.BooleanField(required=False, label="Buy credit by itself when it runs low, with the default card")
    threshold = DollarField(label="When less than this is available, in dollars", help_text="At least 5.")
    target = DollarField(label="Fill it up to, in dollars", help_text="At least 15, and more than the line above.")
    monthly_cap = DollarField(
        required=False, label="Spend at most this a month, in dollars", help_text="Empty: no cap but your spend limits."
    )


def reload_settings(payer: BillingAccount) -> dict[str, Any]:
    """What the account has now, as the form shows it."""
    cap = payer.reload_monthly_cap_nanos
    return {
        "enabled": payer.reload_enabled,
        "threshold": _dollars(payer.reload_threshold_nanos),
        "target": _dollars(payer.reload_target_nanos),
        "monthly_cap": "" if cap is None else _dollars(cap),
    }


class LimitForm(forms.Form):
    """What may be spent on something in a period."""

    subject = forms.ChoiceField(label="For")
    period = forms.ChoiceField(label="Within a", choices=[(one.value, one.label.lower()) for one in LimitPeriod])
    amount = DollarField(label="At most, in dollars", help_text="0 stops all.")
    is_hard = forms.BooleanField(
        required=False, initial=True, label="Refuse new work at the limit", help_text="Without it the limit only warns."
    )

    def __init__(self, data: Any = None, *, subjects: Mapping[str, str], initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        field = self.fields["subject"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(subjects.items())


class StoppingForm(forms.Form):
    """What happens to work that runs when a limit is reached."""

    stops = forms.BooleanField(
        required=False,
        label="Also stop what runs when a hard limit is reached",
        help_text="Without it, what was accepted runs to its end, and may pass the limit by what it needs.",
    )


def add_problem(form: forms.Form, problem: Problem, fields: Mapping[str, str]) -> None:
    """Say what a verb refused at the field it is about. fields: names by the verb's pointers; others are the form's."""
    if isinstance(problem, ValidationFailed):
        for error in problem.errors:
            form.add_error(fields.get(error.pointer), error.detail)
    else:
        form.add_error(None, problem.detail)


def _dollars(nanos: int) -> str:
    amount = decimal.Decimal(nanos // NANOS_PER_CENT) / 100
    return f"{amount:.2f}".removesuffix(".00")
