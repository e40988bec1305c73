"""CSV files about money: an account's own, and for operators the platform's.  Source: billing.md 16.4."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import Account
from billing import csv_exports
from billing.document_views import find_invoice
from billing.page_contexts import page_caller
from billing.reports import find_period
from marketplace.lib import csv_rows
from marketplace.lib.problems import NotFound


@never_cache
@login_required
@require_safe
def invoice_csv(request: HttpRequest, number: str) -> HttpResponseBase:
    """An invoice's lines, exact to the nano-dollar."""
    return _as_file(csv_exports.invoice_lines(find_invoice(request, number)), number)


@never_cache
@login_required
@require_safe
def usage_csv(request: HttpRequest, period: str) -> HttpResponseBase:
    """Every usage record of one month, `YYYY-MM`."""
    _ensure_period(period)
    caller = page_caller(request)
    return _as_file(csv_exports.usage(caller.account_id, period), f"usage-{caller.username}-{period}")


@never_cache
@login_required
@require_safe
def earnings_csv(request: HttpRequest, period: str) -> HttpResponseBase:
    """What the account's models earned it in a month, by day."""
    _ensure_period(period)
    caller = page_caller(request)
    owner = Account.objects.get(pk=caller.account_id)
    return _as_file(csv_exports.publisher_earnings(owner, period), f"earnings-{caller.username}-{period}")


@never_cache
@require_safe
def journal_csv(request: HttpRequest, period: str) -> HttpResponseBase:
    """The ledger of a month for bookkeeping; routed for operators alone."""
    _ensure_period(period)
    return _as_file(csv_exports.journal(period), f"journal-{period}")


@never_cache
@require_safe
def payouts_csv(request: HttpRequest) -> HttpResponseBase:
    """To which publishers what may be paid out now; routed for operators alone."""
    return _as_file(csv_exports.payouts_due(), "payouts")


def _ensure_period(period: str) -> None:
    if find_period(period) is None:
        raise NotFound


def _as_file(rows: csv_exports.Rows, name: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(csv_exports.as_csv(rows), content_type=csv_rows.CONTENT_TYPE)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response
