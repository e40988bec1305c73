"""The pages of usage: a month in sums and a chart, and the records behind each number."""

import datetime

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from billing import plots, record_lists, reports
from billing.page_contexts import page_caller, payer_of, render_page


@never_cache
@login_required
@require_safe
def usage(request: HttpRequest) -> HttpResponse:
    """One month of the account's usage; `?month=2026-11`, this month without it."""
    caller = page_caller(request)
    now = datetime.datetime.now(datetime.UTC)
    this_month = reports.this_period(now)
    period = reports.find_period(request.GET.get("month", "")) or this_month
    months = sorted({this_month, period, *reports.list_periods(caller)}, reverse=True)
    month = reports.month_of_usage(caller, period)
    context = {
        "usage": month,
        "plot": plots.stacked(month.cells, [str(day) for day in reports.days_of(period)]),
        "month": reports.first_day(period),
        "months": [(name, reports.first_day(name)) for name in months],
    }
    return render_page(request, "usage.html", payer_of(caller), "usage", context)


@never_cache
@login_required
@require_safe
def records(request: HttpRequest) -> HttpResponse:
    """The lines behind a number of the usage page."""
    caller = page_caller(request)
    page = record_lists.list_records(caller.account_id, request.GET)
    return render_page(request, "records.html", payer_of(caller), "usage", {"page": page})
