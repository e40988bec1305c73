"""Prices in the operators' console: of hardware, of models, of contracts. They are added, never changed."""

import datetime
from typing import Any, ClassVar

import orjson
from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.access import operator_of
from accounts.models import Account
from billing import price_lists
from billing.models import Meter, Price
from billing.money import in_words
from billing.price_lists import Line
from billing.prices import TIME_METERS
from marketplace.lib.console import ReadOnlyAdmin, ReasonField
from marketplace.lib.problems import Problem

_LINE_MEMBERS = {"meter", "rate_nanos", "per_units", "selector", "min_charge_nanos", "markup_nanos"}


class NewPriceForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at runtime
    """A price list from a moment on: one rate of hardware, or the lines of a model."""

    sku = forms.CharField(
        max_length=180,
        label="Hardware or model",
        widget=UnfoldAdminTextInputWidget,
        help_text="A hardware SKU, e.g. gpu-t4, or owner/name of a model.",
    )
    username = forms.CharField(
        max_length=64,
        required=False,
        label="Account",
        widget=UnfoldAdminTextInputWidget,
        help_text="Of a contract price; empty for everybody.",
    )
    rate_nanos = forms.IntegerField(
        min_value=0,
        required=False,
        label="Nano-dollars per second",
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Of hardware. 1,000,000,000 is one dollar a second; 225,000 is $0.81 an hour.",
    )
    lines = forms.CharField(
        required=False,
        label="Lines of a model",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6}),
        help_text='JSON, e.g. [{"meter": "output_image", "rate_nanos": 40000000, "per_units": 1}]. Also selector, '
        f"min_charge_nanos, markup_nanos. Meters: {', '.join(Meter.values)}.",
    )
    effective_from = forms.SplitDateTimeField(
        label="From (UTC)", widget=UnfoldAdminSplitDateTimeWidget, help_text="Runs accepted before keep their price."
    )
    reason = ReasonField()

    class Meta:
        model = Price
        fields = ("sku", "rate_nanos", "effective_from")

    def clean_username(self) -> Account | None:
        """The account of that name, None without one."""
        name = self.cleaned_data["username"]
        account = Account.objects.filter(username__iexact=name).first() if name else None
        if name and account is None:
            raise forms.ValidationError("There is no account of this name.")
        return account

    def clean_lines(self) -> list[Line]:
        """Those that the JSON says."""
        text = self.cleaned_data["lines"].strip()
        try:
            found = orjson.loads(text) if text else []
        except orjson.JSONDecodeError as error:
            raise forms.ValidationError(f"This is no JSON: {error}") from error
        if not isinstance(found, list) or not all(isinstance(one, dict) and set(one) <= _LINE_MEMBERS for one in found):
            raise forms.ValidationError(f"Expected a list of objects with {', '.join(sorted(_LINE_MEMBERS))}.")
        if not all(isinstance(one.get("meter"), str) and isinstance(one.get("rate_nanos"), int) for one in found):
            raise forms.ValidationError("Each line needs a meter and rate_nanos, a whole number.")
        whole = ("per_units", "min_charge_nanos", "markup_nanos")
        if not all(isinstance(one.get(name, 0), int) for one in found for name in whole):
            raise forms.ValidationError("Amounts are whole numbers.")
        if not all(isinstance(one.get("selector", {}), dict) for one in found):
            raise forms.ValidationError("A selector is an object.")
        return [Line(**one) for one in found]

    def clean(self) -> dict[str, Any]:
        """Known hardware with a rate, or a model with lines, and a moment that has no price yet."""
        data = super().clean() or {}
        sku, start = data.get("sku"), data.get("effective_from")
        if sku and "/" in sku:
            if not data.get("lines") and "lines" not in self.errors:
                self.add_error("lines", "A model needs lines.")
        elif sku and not Price.objects.filter(sku=sku).exists():
            self.add_error("sku", "There is no hardware of this SKU.")
        elif data.get("rate_nanos") is None and "rate_nanos" not in self.errors:
            self.add_error("rate_nanos", "Hardware needs a rate.")
        if sku and start and not self.errors:
            try:
                self._check(data)
            except Problem as problem:
                self.add_error("lines" if "/" in sku else "effective_from", problem.detail)
        return data

    def _check(self, data: dict[str, Any]) -> None:
        lines = data["lines"] if "/" in data["sku"] else [Line(Meter.COMPUTE_TIME, data["rate_nanos"])]
        price_lists.check(data["sku"], lines, data["effective_from"], account=data["username"])


@admin.register(Price)
class PriceAdmin(ReadOnlyAdmin):
    """The price list with its history."""

    list_display: ClassVar = ["sku", "account", "meter", "selector", "shown_rate", "shown_hour", "effective_from"]
    list_filter: ClassVar = ["meter", "sku"]
    list_select_related: ClassVar = ["account"]
    ordering: ClassVar = ["sku", "-effective_from"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A new price, with a reason."""
        return bool(request.user.is_staff)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form of a new price; an old one is only shown."""
        if obj is None:
            kwargs["form"] = NewPriceForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """With the reason when adding."""
        if obj is not None:
            return super().get_fields(request, obj)
        return ["sku", "username", "rate_nanos", "lines", "effective_from", "reason"]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """From the full hour after the next on: an increase needs an hour's notice."""
        start = datetime.datetime.now(datetime.UTC).replace(minute=0, second=0, microsecond=0)
        return {"effective_from": start + datetime.timedelta(hours=2), **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: Price, form: Any, change: bool) -> None:
        """Through the verb, which writes the audit entry too."""
        data: dict[str, Any] = form.cleaned_data
        common = {"effective_from": data["effective_from"], "reason": data["reason"], "account": data["username"]}
        if "/" in data["sku"]:
            saved = price_lists.set_model_prices(
                operator_of(request), model_name=data["sku"], lines=data["lines"], **common
            )[0]
        else:
            saved = price_lists.set_hardware_price(
                operator_of(request), sku=data["sku"], rate_nanos=data["rate_nanos"], **common
            )
        obj.pk = saved.pk

    @display(description="Rate", ordering="rate_nanos")
    def shown_rate(self, price: Price) -> str:
        """In dollars, per second or for how much."""
        if price.meter in TIME_METERS:
            return f"{in_words(price.rate_nanos * 1_000_000 // price.per_units)} per second"
        return f"{in_words(price.rate_nanos)} for {price.per_units:,}"

    @display(description="Per hour", ordering="rate_nanos")
    def shown_hour(self, price: Price) -> str:
        """In dollars, of time."""
        return in_words(price.rate_nanos * 3_600_000_000 // price.per_units) if price.meter in TIME_METERS else ""
