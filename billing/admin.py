"""Money in the operators' console: prices are added, never changed; usage is read. The rest is in `billing.console`."""

import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextInputWidget

from accounts.models import Account
from billing import console, credit, price_lists
from billing.models import CreditBucket, Meter, Price, UsageRecord
from billing.money import NANOS_PER_UNIT, in_words
from marketplace.lib.console import ReadOnlyAdmin, ReasonField
from marketplace.lib.problems import Conflict

__all__ = ["console"]


class NewPriceForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at runtime
    """A price from a moment on."""

    sku = forms.CharField(
        max_length=64, label="Hardware", widget=UnfoldAdminTextInputWidget, help_text="Its SKU, e.g. gpu-t4."
    )
    rate_nanos = forms.IntegerField(
        min_value=0,
        label="Nano-dollars per second",
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="1,000,000,000 is one dollar a second; 225,000 is $0.81 an hour.",
    )
    effective_from = forms.SplitDateTimeField(
        label="From (UTC)", widget=UnfoldAdminSplitDateTimeWidget, help_text="Runs accepted before keep their price."
    )
    reason = ReasonField()

    class Meta:
        model = Price
        fields = ("sku", "rate_nanos", "effective_from")

    def clean(self) -> dict[str, Any]:
        """Known hardware, and a moment that has no price yet."""
        data = super().clean() or {}
        sku, start = data.get("sku"), data.get("effective_from")
        if sku and not Price.objects.filter(sku=sku).exists():
            self.add_error("sku", "There is no hardware of this SKU.")
        if sku and start:
            try:
                price_lists.ensure_may_start(sku, start)
            except Conflict as problem:
                self.add_error("effective_from", problem.detail)
        return data


@admin.register(Price)
class PriceAdmin(ReadOnlyAdmin):
    """The price list with its history."""

    list_display: ClassVar = ["sku", "shown_rate", "shown_hour", "effective_from"]
    list_filter: ClassVar = ["sku"]
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
        return ["sku", "rate_nanos", "effective_from", "reason"] if obj is None else super().get_fields(request, obj)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """From the next full hour on."""
        start = datetime.datetime.now(datetime.UTC).replace(minute=0, second=0, microsecond=0)
        return {"effective_from": start + datetime.timedelta(hours=2), **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: Price, form: Any, change: bool) -> None:
        """Through the verb, which writes the audit entry too."""
        data: dict[str, Any] = form.cleaned_data
        actor: Any = request.user
        saved = price_lists.set_hardware_price(
            actor,
            sku=data["sku"],
            rate_nanos=data["rate_nanos"],
            effective_from=data["effective_from"],
            reason=data["reason"],
        )
        obj.pk = saved.pk

    @display(description="Per second", ordering="rate_nanos")
    def shown_rate(self, price: Price) -> str:
        """In dollars."""
        return in_words(price.rate_nanos * 1_000_000 // price.per_units)

    @display(description="Per hour", ordering="rate_nanos")
    def shown_hour(self, price: Price) -> str:
        """In dollars."""
        return in_words(price.rate_nanos * 3_600_000_000 // price.per_units)


class NewGrantForm(forms.ModelForm):  # type: ignore[type-arg]  # as above
    """Credit for an account."""

    username = forms.CharField(
        max_length=64,
        label="Account",
        widget=UnfoldAdminTextInputWidget,
        help_text="Its name. With its first grant an internal account becomes limited to its credit.",
    )
    dollars = forms.DecimalField(
        max_digits=11,
        decimal_places=2,
        label="Dollars",
        widget=UnfoldAdminTextInputWidget,
        min_value=0,
        help_text="Free credit. It can't be paid out.",
    )
    reason = ReasonField()

    class Meta:
        model = CreditBucket
        fields: ClassVar[list[str]] = []

    def clean_username(self) -> Account:
        """The account of that name."""
        account = Account.objects.filter(username__iexact=self.cleaned_data["username"]).first()
        if account is None:
            raise forms.ValidationError("There is no account of this name.")
        return account

    def clean_dollars(self) -> Any:
        """Something."""
        if not self.cleaned_data["dollars"]:
            raise forms.ValidationError("Must not be 0.")
        return self.cleaned_data["dollars"]


@admin.register(CreditBucket)
class CreditBucketAdmin(ReadOnlyAdmin):
    """Credit of all accounts, and a grant of free credit by hand."""

    list_display: ClassVar = ["created_at", "account", "kind", "shown_amount", "shown_rest", "created_by", "reason"]
    list_select_related: ClassVar = ["account", "created_by"]
    search_fields: ClassVar = ["account__username", "reason"]
    ordering: ClassVar = ["-id"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A new grant, with a reason."""
        return bool(request.user.is_staff)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form of a new grant; an old one is only shown."""
        if obj is None:
            kwargs["form"] = NewGrantForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Those of the form when adding."""
        return ["username", "dollars", "reason"] if obj is None else super().get_fields(request, obj)

    def save_model(self, request: HttpRequest, obj: CreditBucket, form: Any, change: bool) -> None:
        """Through the verb, which writes the audit entry too."""
        data: dict[str, Any] = form.cleaned_data
        actor: Any = request.user
        amount = int(data["dollars"] * NANOS_PER_UNIT)
        saved = credit.grant(data["username"], amount_nanos=amount, reason=data["reason"], actor=actor)
        obj.pk, obj.account, obj.created_at = saved.pk, saved.account, saved.created_at

    @display(description="Amount", ordering="granted_nanos")
    def shown_amount(self, bucket: CreditBucket) -> str:
        """In dollars."""
        return in_words(bucket.granted_nanos)

    @display(description="Left", ordering="remaining_nanos")
    def shown_rest(self, bucket: CreditBucket) -> str:
        """In dollars."""
        return in_words(bucket.remaining_nanos)


@admin.register(UsageRecord)
class UsageRecordAdmin(ReadOnlyAdmin):
    """What was used and charged, line by line."""

    list_display: ClassVar = ["occurred_at", "account", "model_name", "hardware", "shown_quantity", "shown_amount"]
    list_filter: ClassVar = ["hardware", "fault_class", "period"]
    list_select_related: ClassVar = ["account"]
    search_fields: ClassVar = ["account__username", "model_name", "subject"]
    ordering: ClassVar = ["-id"]

    @display(description="Quantity", ordering="quantity")
    def shown_quantity(self, usage: UsageRecord) -> str:
        """Time in seconds."""
        return f"{usage.quantity / 1_000_000:,.3f} s" if usage.meter == Meter.COMPUTE_TIME else f"{usage.quantity:,}"

    @display(description="Amount", ordering="amount_nanos")
    def shown_amount(self, usage: UsageRecord) -> str:
        """In dollars."""
        return in_words(usage.amount_nanos)
