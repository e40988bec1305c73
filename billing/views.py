"""The usage page."""

import datetime

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from accounts.access import caller_for_user
from accounts.models import User
from billing import reports, spending


@login_required
@require_safe
def billing(request: HttpRequest) -> HttpResponse:
    """Where the API's 402 sends people: the usage page shows the credit that is left."""
    return redirect("usage")


@login_required
@require_safe
def usage(request: HttpRequest) -> HttpResponse:
    """One month of the account's usage; `?month=2026-11`, this month without it."""
    assert isinstance(request.user, User)
    caller = caller_for_user(request.user)
    now = datetime.datetime.now(datetime.UTC)
    this_month = reports.this_period(now)
    period = reports.find_period(request.GET.get("month", "")) or this_month
    months = sorted({this_month, period, *reports.list_periods(caller)}, reverse=True)
    context = {
        "usage": reports.month_of_usage(caller, period),
        "credit": spending.standing(caller.account_id),
        "month": reports.first_day(period),
        "months": [(name, reports.first_day(name)) for name in months],
    }
    response = render(request, "billing/usage.html", context)
    response.headers["Cache-Control"] = "private, no-store"
    return response
