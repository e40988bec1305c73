"""An account's invoices, statements and receipts to print and to keep: as a page and as a PDF file."""

from collections.abc import Callable

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from billing.document_pdf import render_pdf
from billing.documents import Document, invoice_document, receipt_document
from billing.models import Invoice, TopUp
from billing.page_contexts import page_caller
from marketplace.lib.problems import NotFound


def _page(find: Callable[[HttpRequest, str], Document]) -> Callable[..., HttpResponse]:
    @never_cache
    @login_required
    @require_safe
    def view(request: HttpRequest, number: str) -> HttpResponse:
        return render(request, "billing/document.html", {"document": find(request, number)})

    return view


def _pdf(find: Callable[[HttpRequest, str], Document]) -> Callable[..., HttpResponse]:
    @never_cache
    @login_required
    @require_safe
    def view(request: HttpRequest, number: str) -> HttpResponse:
        response = HttpResponse(render_pdf(find(request, number)), content_type="application/pdf")
        response.headers["Content-Disposition"] = f'inline; filename="{number}.pdf"'
        return response

    return view


def find_invoice(request: HttpRequest, number: str) -> Invoice:
    """Of the signed-in account; somebody else's is 404."""
    invoice = Invoice.objects.filter(account_id=page_caller(request).account_id, number=number).first()
    if invoice is None:
        raise NotFound
    return invoice


def _invoice_document(request: HttpRequest, number: str) -> Document:
    return invoice_document(find_invoice(request, number))


def _receipt_document(request: HttpRequest, number: str) -> Document:
    paid = TopUp.objects.filter(state=TopUp.State.SUCCEEDED, receipt_number=number)
    top_up = paid.filter(account_id=page_caller(request).account_id).first()
    if top_up is None:
        raise NotFound
    return receipt_document(top_up)


invoice_page = _page(_invoice_document)
invoice_pdf = _pdf(_invoice_document)
receipt_page = _page(_receipt_document)
receipt_pdf = _pdf(_receipt_document)
