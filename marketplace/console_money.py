"""Operators' pages about all money: what usage brought, what idle machines cost, and whether the books add up.

Wrapped in the console's permission by urls.  Source: billing.md 15.3, 16.2.
"""

import datetime
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from billing import plots, reconciliation, reports, revenue
from billing.money import Nanos
from runner.host_hours import OnlineLine, online_lines


@dataclass(frozen=True, slots=True)
class Margin:
    """Of a model: what it brought, and what its instances' online time was worth."""

    model: str
    brought_nanos: Nanos
    worth_nanos: Nanos

    @property
    def nanos(self) -> int:
        """The difference."""
        return self.brought_nanos - self.worth_nanos


@require_safe
def revenue_page(request: HttpRequest) -> HttpResponse:
    """One month; `?month=2026-11`, this month without it."""
    this_month = reports.this_period(datetime.datetime.now(datetime.UTC))
    period = reports.find_period(request.GET.get("month", "")) or this_month
    month = revenue.month_of_revenue(period)
    by_hardware, by_model = online_lines(period)
    months = sorted({this_month, period, *(f"{day:%Y-%m}" for day in revenue.list_months())}, reverse=True)
    return _page(
        request,
        "console/revenue.html",
        "Revenue",
        revenue=month,
        plot=plots.stacked(month.cells, [str(day) for day in reports.days_of(period)]),
        months=[(name, reports.first_day(name)) for name in months],
        machines=by_hardware,
        margins=_margins(month, by_model),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def checks_page(request: HttpRequest) -> HttpResponse:
    """The jobs of reconciliation; POST runs them now."""
    found = reconciliation.run() if request.method == "POST" else None
    return _page(
        request,
        "console/checks.html",
        "Reconciliation",
        jobs=reconciliation.job_names(),
        found=None if found is None else sorted(found.items()),
        count=0 if found is None else sum(map(len, found.values())),
        now=timezone.now(),
    )


def _margins(month: revenue.MonthOfRevenue, online: list[OnlineLine]) -> list[Margin]:
    """The worst first."""
    worth = {line.key: line.worth_nanos for line in online}
    brought = {line.key: line.charged_nanos for line in month.by_model}
    found = [Margin(name, brought.get(name, Nanos(0)), worth.get(name, Nanos(0))) for name in {*worth, *brought}]
    return sorted(found, key=lambda one: (one.nanos, one.model))


def _page(request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
    return TemplateResponse(request, template, {**admin.site.each_context(request), "title": title, **context})
