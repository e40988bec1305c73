"""The page on which anybody reports a model to the operators. Signed-out people may; how often is bounded."""

from django import forms
from django.contrib import messages
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.access import Caller
from accounts.authentication import session_caller
from models_catalog import lookup, moderation
from models_catalog.models import Report

REPORTS_AN_HOUR = 10
_HOUR_SECONDS = 3600


class ReportForm(forms.Form):
    """Why, and in the reporter's words."""

    category = forms.ChoiceField(
        choices=Report.Category.choices,
        label="What is wrong?",
        widget=forms.RadioSelect,
        error_messages={"required": "Choose one of the reasons."},
    )
    text = forms.CharField(
        label="Tell us more",
        required=False,
        max_length=moderation.TEXT_LIMIT,
        help_text="What did you see, and where? Don't paste illegal material here.",
        widget=forms.Textarea(attrs={"rows": 5}),
    )


@require_http_methods(["GET", "POST"])
def report_model(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """Ask for a reason and words, then thank."""
    caller = session_caller(request)
    model = lookup.get_model(caller, owner, name)
    form = ReportForm(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        if not form.is_valid():
            status = 422
        elif not _may_report(request, caller):
            form.add_error(None, "You have sent many reports within an hour. Please try again later.")
            status = 429
        else:
            moderation.report(caller, model, **form.cleaned_data)
            messages.success(request, "Thank you. An operator will look at your report.")
            return redirect("model", owner=model.account.username, name=model.name)
    return render(request, "marketplace/report_model.html", {"model": model, "form": form}, status=status)


def _may_report(request: HttpRequest, caller: Caller | None) -> bool:
    """Count this report against its account or, signed out, its address."""
    who = f"account:{caller.account_id}" if caller else f"address:{request.META.get('REMOTE_ADDR', '')}"
    key = f"reports:{who}"
    cache.add(key, 0, _HOUR_SECONDS)
    return cache.incr(key) <= REPORTS_AN_HOUR
