"""What an account does about one run's bill: appeals its verdict, keeps its signed receipt."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from billing import appeals, receipts
from billing.page_contexts import page_caller
from marketplace.lib.problems import Conflict, ValidationFailed


class AppealForm(forms.Form):
    """Why the verdict is wrong."""

    note = forms.CharField(
        max_length=appeals.LONGEST_NOTE,
        label="Why is it wrong?",
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Say why, so that an operator can judge it."},
    )


@login_required
@require_POST
def appeal(request: HttpRequest, prediction_id: str) -> HttpResponse:
    """Send an appeal and go back to the run. Somebody else's run is 404."""
    form = AppealForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(error) for error in form.errors["note"]))
        return redirect("prediction", prediction_id=prediction_id)
    try:
        appeals.create(page_caller(request), prediction_id, form.cleaned_data["note"])
    except (Conflict, ValidationFailed) as problem:
        messages.error(request, problem.detail)
    else:
        messages.success(request, "Your appeal is sent. An operator decides; the answer appears here.")
    return redirect("prediction", prediction_id=prediction_id)


@never_cache
@login_required
@require_safe
def receipt(request: HttpRequest, prediction_id: str) -> HttpResponse:
    """The signed receipt and those of its corrections, as the API has them."""
    first, *corrections = receipts.receipts_of_run(page_caller(request).account_id, prediction_id)
    document = {
        **receipts.receipt_document(first),
        "corrections": [receipts.receipt_document(one) for one in corrections],
    }
    answer = JsonResponse(document, json_dumps_params={"indent": 2})
    answer.headers["Content-Disposition"] = f'attachment; filename="receipt-{prediction_id}.json"'
    return answer
