"""The first page about an account's money: what it has, what it spends, what runs now, what is wrong.

Here because running work is the runner's.  Source: billing.md 15.2.
"""

import datetime

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from billing.overview import list_buckets, overview
from billing.page_contexts import page_caller, payer_of, render_page
from billing.troubles import troubles
from runner.running_costs import running_work


@never_cache
@login_required
@require_safe
def billing_overview(request: HttpRequest) -> HttpResponse:
    """Where the API's 402 sends people."""
    payer = payer_of(page_caller(request))
    now = datetime.datetime.now(datetime.UTC)
    seen = overview(payer, now=now)
    work = running_work(payer.pk, now=now)
    context = {
        "seen": seen,
        "work": work,
        "month_with_work": seen.month_nanos + work.amount_nanos,
        "forecast": seen.forecast_nanos + work.amount_nanos,
        "troubles": troubles(payer, seen, now=now),
        "buckets": list_buckets(payer.pk),
    }
    return render_page(request, "overview.html", payer, "overview", context)
