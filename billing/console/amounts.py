"""The console's form that asks for dollars and why."""

import decimal

from django import forms
from unfold.widgets import UnfoldAdminTextInputWidget

from marketplace.lib.console import ReasonForm


class AmountForm(ReasonForm):
    """How much."""

    amount = forms.DecimalField(
        max_digits=11, decimal_places=2, min_value=0, label="Dollars", widget=UnfoldAdminTextInputWidget
    )
    field_order = ("amount", "reason")


def cents_of(dollars: decimal.Decimal) -> int:
    """Whole cents, as the form has them."""
    return int(dollars * 100)
