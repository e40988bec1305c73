"""Refunds of incidents in the operators' console: chosen, previewed, proposed, and confirmed by another."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextInputWidget

from accounts.access import operator_of
from billing import incidents
from billing.console.shown import money_column, state_column
from billing.incidents import Incident
from billing.models import RefundProposal
from marketplace.lib.console import ReadOnlyAdmin, ReasonForm
from marketplace.lib.problems import Problem


class IncidentForm(ReasonForm):
    """Which usage an incident spoiled. The reason is what customers read."""

    since = forms.SplitDateTimeField(label="Ended from (UTC)", widget=UnfoldAdminSplitDateTimeWidget)
    until = forms.SplitDateTimeField(label="Ended before (UTC)", widget=UnfoldAdminSplitDateTimeWidget)
    model_name = forms.CharField(
        required=False, label="Model", widget=UnfoldAdminTextInputWidget, help_text="owner/name; empty for all."
    )
    version_id = forms.CharField(
        required=False, label="Version", widget=UnfoldAdminTextInputWidget, help_text="Its whole id; empty for all."
    )
    hardware = forms.CharField(
        required=False, label="Hardware", widget=UnfoldAdminTextInputWidget, help_text="Its SKU; empty for all."
    )
    field_order = ("since", "until", "model_name", "version_id", "hardware", "reason")

    def incident(self) -> Incident:
        """What was chosen."""
        data = self.cleaned_data
        return Incident(
            since=data["since"],
            until=data["until"],
            model_name=data["model_name"].strip(),
            version_id=data["version_id"].strip(),
            hardware=data["hardware"].strip(),
        )


@admin.register(RefundProposal)
class RefundProposalAdmin(ReadOnlyAdmin):
    """Refunds of many runs at once."""

    list_display: ClassVar = ["created_at", "shown_state", "accounts", "runs", "shown_amount", "reason", "proposed_by"]
    list_filter: ClassVar = ["state"]
    list_select_related: ClassVar = ["proposed_by"]
    search_fields: ClassVar = ["=id", "reason"]
    ordering: ClassVar = ["-created_at"]
    actions_list: ClassVar = ["propose"]
    actions_detail: ClassVar = ["confirm", "reject"]
    shown_amount = money_column("amount_nanos", "Amount")
    shown_state = state_column("state", "State")

    def offers(self, action: str, row: Any) -> bool:
        """Until it is decided."""
        return bool(row and row.state == RefundProposal.State.PROPOSED)

    @action(description="Refund an incident…", url_path="incident", icon="healing")
    def propose(self, request: HttpRequest) -> HttpResponse:
        """Choose, look at the sums (`preview`), then propose."""
        form = IncidentForm(request.POST if request.method == "POST" else None)
        preview = None
        if request.method == "POST" and form.is_valid():
            preview = incidents.preview(form.incident())
            if "propose" in request.POST:
                try:
                    proposal = incidents.propose(
                        operator_of(request), form.incident(), reason=form.cleaned_data["reason"]
                    )
                except Problem as problem:
                    form.add_error(None, problem.detail)
                else:
                    messages.success(request, f"{proposal} is {proposal.state}.")
                    return HttpResponseRedirect(reverse("admin:billing_refundproposal_change", args=[proposal.pk]))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Refund an incident",
            "form": form,
            "preview": preview,
            "back": reverse("admin:billing_refundproposal_changelist"),
        }
        return TemplateResponse(request, "console/incident.html", context, status=422 if form.errors else 200)

    @action(description="Confirm…", url_path="confirm", icon="check")
    def confirm(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Have it carried out."""
        return self._decide(request, object_id, "Confirm", "Every run of it is refunded in full.", incidents.confirm)

    @action(description="Reject…", url_path="reject", icon="block")
    def reject(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Drop it."""
        return self._decide(request, object_id, "Reject", "Nothing is refunded.", incidents.reject)

    def _decide(self, request: HttpRequest, object_id: str, word: str, effect: str, verb: Any) -> HttpResponse:
        return self.with_reason(
            request,
            object_id,
            title=word + " the refund of {}",
            effect=effect,
            done=word + "ed: {}.",
            verb=lambda proposal, reason: verb(operator_of(request), proposal.pk),
        )
