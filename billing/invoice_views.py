"""Pages of invoices and statements, and of what was given back."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from billing.models import CardRefund, FaultAppeal, Invoice, UsageRecord
from billing.page_contexts import page_caller, payer_of, render_page
from marketplace.lib.problems import NotFound

_MOST_ROWS = 100


@never_cache
@login_required
@require_safe
def invoice_list(request: HttpRequest) -> HttpResponse:
    """All of the account's, newest first."""
    payer = payer_of(page_caller(request))
    context = {"invoices": Invoice.objects.filter(account_id=payer.pk).order_by("-issued_at", "-pk")[:_MOST_ROWS]}
    return render_page(request, "invoices.html", payer, "invoices", context)


@never_cache
@login_required
@require_safe
def invoice_page(request: HttpRequest, invoice_id: str) -> HttpResponse:
    """One with its lines. Somebody else's is 404."""
    payer = payer_of(page_caller(request))
    invoice = Invoice.objects.filter(account_id=payer.pk, pk=invoice_id).first()
    if invoice is None:
        raise NotFound
    lines = invoice.lines.select_related("price").order_by("position")
    return render_page(request, "invoice.html", payer, "invoices", {"invoice": invoice, "lines": lines})


@never_cache
@login_required
@require_safe
def refunds(request: HttpRequest) -> HttpResponse:
    """Runs that were given back, appeals, and what went back to a card, each with its reason."""
    payer = payer_of(page_caller(request))
    corrections = UsageRecord.objects.filter(account_id=payer.pk, corrects__isnull=False)
    cards = CardRefund.objects.filter(top_up__account_id=payer.pk)
    context = {
        "corrections": corrections.order_by("-pk")[:_MOST_ROWS],
        "appeals": FaultAppeal.objects.filter(account_id=payer.pk).order_by("-created_at")[:_MOST_ROWS],
        "card_refunds": cards.select_related("top_up").order_by("-created_at")[:_MOST_ROWS],
    }
    return render_page(request, "refunds.html", payer, "refunds", context)
