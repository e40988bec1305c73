"""The page of spend limits. Here because limits may be on deployments, which are the runner's.

Source: billing.md 8.3.
"""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import tokens
from accounts.access import Caller
from billing import limit_lists, limits
from billing.forms import LimitForm, StoppingForm, add_problem
from billing.models import LimitPeriod, LimitScope
from billing.money import NANOS_PER_CENT
from billing.page_contexts import page_caller, payer_of, render_page
from marketplace.lib.problems import Problem
from runner import deployments

_FIELDS = {"/limit_nanos": "amount", "/period": "period", "/scope": "subject", "/scope_key": "subject"}


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def limit_list(request: HttpRequest) -> HttpResponse:
    """Show them; POST sets or changes one."""
    caller = page_caller(request)
    names = _names(caller)
    if request.method != "POST":
        return _page(request, caller, names)
    form = LimitForm(request.POST, subjects=names)
    if form.is_valid():
        scope, key = limit_lists.scope_of(form.cleaned_data["subject"])
        try:
            limits.set_limit(
                caller.account_id,
                scope=scope,
                scope_key=key,
                period=form.cleaned_data["period"],
                limit_nanos=form.cleaned_data["amount"] * NANOS_PER_CENT,
                is_hard=form.cleaned_data["is_hard"],
            )
        except Problem as problem:
            add_problem(form, problem, _FIELDS)
        else:
            messages.success(request, "The limit is set.")
            return redirect("billing_limits")
    return _page(request, caller, names, form=form, status=422)


@login_required
@require_POST
def remove_limit(request: HttpRequest, limit_id: int) -> HttpResponse:
    """Take one away. Somebody else's is 404."""
    limits.remove_limit(page_caller(request).account_id, limit_id)
    messages.success(request, "The limit is removed.")
    return redirect("billing_limits")


@login_required
@require_POST
def choose_stopping(request: HttpRequest) -> HttpResponse:
    """What happens to running work at a limit."""
    form = StoppingForm(request.POST)
    form.is_valid()
    limits.choose_stopping(page_caller(request).account_id, stops=form.cleaned_data["stops"])
    messages.success(request, "Saved.")
    return redirect("billing_limits")


def _names(caller: Caller) -> dict[str, str]:
    """What limits may be on, by `limit_lists.subject_of`."""
    found = {limit_lists.ACCOUNT: "this account"}
    found |= {f"{LimitScope.TOKEN}:{token.pk}": f"token {token.name}" for token in tokens.list_tokens(caller)}
    for deployment in deployments.list_deployments(caller):
        found[f"{LimitScope.DEPLOYMENT}:{deployment.full_name}"] = f"deployment {deployment.name}"
    return found


def _page(
    request: HttpRequest, caller: Caller, names: dict[str, str], *, form: LimitForm | None = None, status: int = 200
) -> HttpResponse:
    payer = payer_of(caller)
    initial: dict[str, Any] = {
        "subject": request.GET.get("subject", limit_lists.ACCOUNT),
        "period": request.GET.get("period", LimitPeriod.MONTH),
        "is_hard": True,
    }
    context = {
        "limits": limit_lists.shown(payer.pk, names),
        "form": form or LimitForm(subjects=names, initial=initial),
        "stopping_form": StoppingForm(initial={"stops": payer.stops_at_limit}),
    }
    return render_page(request, "limits.html", payer, "limits", context, status=status)
