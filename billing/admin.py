"""Money in the operators' console: credit is granted, usage is read. The rest is in `billing.console`."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.models import Account
from billing import console, credit, refunds
from billing.models import CreditBucket, Meter, UsageRecord
from billing.money import NANOS_PER_UNIT, in_words
from marketplace.lib.console import ReadOnlyAdmin, ReasonField

__all__ = ["console"]


class NewGrantForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at runtime
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
    actions_detail: ClassVar = ["refund"]

    def offers(self, action: str, row: Any) -> bool:
        """While something is left of its charge."""
        return bool(row and row.corrects_id is None and refunds.left_to_refund(row) > 0)

    @action(description="Refund…", url_path="refund", icon="undo")
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then give all that is left of it back."""
        actor: Any = request.user
        return self.with_reason(
            request,
            object_id,
            title="Refund {}",
            effect="What is left of its charge goes back to where it was taken from. The customer reads the reason.",
            done="{} is refunded.",
            verb=lambda record, reason: refunds.refund_usage(record, reason=reason, actor=actor),
        )

    @display(description="Quantity", ordering="quantity")
    def shown_quantity(self, usage: UsageRecord) -> str:
        """Time in seconds."""
        return f"{usage.quantity / 1_000_000:,.3f} s" if usage.meter == Meter.COMPUTE_TIME else f"{usage.quantity:,}"

    @display(description="Amount", ordering="amount_nanos")
    def shown_amount(self, usage: UsageRecord) -> str:
        """In dollars."""
        return in_words(usage.amount_nanos)
