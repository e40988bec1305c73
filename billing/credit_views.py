"""The page of credit: what is left, and what was bought."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from billing.models import TopUp
from billing.overview import list_buckets
from billing.page_contexts import page_caller, payer_of, render_page

_MOST_TOP_UPS = 100


@never_cache
@login_required
@require_safe
def credit(request: HttpRequest) -> HttpResponse:
    """Buckets and purchases."""
    payer = payer_of(page_caller(request))
    context = {
        "buckets": list_buckets(payer.pk),
        "top_ups": TopUp.objects.filter(account_id=payer.pk).order_by("-created_at")[:_MOST_TOP_UPS],
    }
    return render_page(request, "credit.html", payer, "credit", context)
