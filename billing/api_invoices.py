"""The API of invoices and statements: list them, read one with its lines. Extensions.  Source: billing.md 12, 15.1."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import Caller
from accounts.authentication import aauthenticate, caller_of
from billing import csv_exports, documents
from billing.cents import minor_as_decimal_string
from billing.document_pdf import render_pdf
from billing.models import Invoice, InvoiceLine
from billing.money import as_decimal_string
from marketplace.lib import csv_rows, dbthreads
from marketplace.lib.pagination import NewestFirst
from marketplace.lib.problems import NotFound
from marketplace.lib.timestamps import timestamp


class InvoiceList(APIView):
    """All of the account."""

    def get(self, request: Request) -> Response:
        """List them, newest first."""
        pages = _NewestIssued()
        page = pages.paginate_queryset(list_invoices(caller_of(request)), request, view=self) or []
        return pages.get_paginated_response([invoice_document(invoice) for invoice in page])


class InvoiceDetail(APIView):
    """One invoice."""

    def get(self, request: Request, invoice_id: str) -> Response:
        """Read it with its lines."""
        invoice = get_invoice(caller_of(request), invoice_id)
        lines = invoice.lines.select_related("price").order_by("position")
        return Response({**invoice_document(invoice), "lines": [line_document(line, invoice) for line in lines]})


async def read_pdf(request: HttpRequest, invoice_id: str) -> HttpResponse:
    """`GET …/{id}.pdf`."""
    return await dbthreads.run(_pdf, await aauthenticate(request), invoice_id)


async def read_csv(request: HttpRequest, invoice_id: str) -> HttpResponse:
    """`GET …/{id}.csv`: its lines, exact to the nano-dollar."""
    return await dbthreads.run(_csv, await aauthenticate(request), invoice_id)


def _pdf(caller: Caller, invoice_id: str) -> HttpResponse:
    invoice = get_invoice(caller, invoice_id)
    return _file(render_pdf(documents.invoice_document(invoice)), "application/pdf", f"{invoice.number}.pdf")


def _csv(caller: Caller, invoice_id: str) -> HttpResponse:
    invoice = get_invoice(caller, invoice_id)
    return _file(csv_rows.encode(csv_exports.invoice_lines(invoice)), csv_rows.CONTENT_TYPE, f"{invoice.number}.csv")


def _file(content: bytes, content_type: str, name: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return HttpResponse(content, content_type=content_type, headers=headers)


class _NewestIssued(NewestFirst):
    """100 a page, the last one issued first."""

    ordering: Any = ("-issued_at", "-pk")


def list_invoices(caller: Caller) -> QuerySet[Invoice]:
    """The account's."""
    return Invoice.objects.filter(account_id=caller.account_id)


def get_invoice(caller: Caller, invoice_id: str) -> Invoice:
    """One of the account's. Raises NotFound, for other people's too."""
    invoice = list_invoices(caller).filter(pk=invoice_id).first()
    if invoice is None:
        raise NotFound
    return invoice


def invoice_document(invoice: Invoice) -> dict[str, Any]:
    """An invoice as the API shows it, without its lines. `pay_url`: where it can be paid, while it can."""
    is_due = invoice.state in (Invoice.State.OPEN, Invoice.State.PAST_DUE)
    return {
        "id": invoice.pk,
        "number": invoice.number,
        "kind": invoice.kind,
        "status": invoice.state,
        "period": invoice.period,
        "currency": invoice.currency,
        "total": minor_as_decimal_string(invoice.total_cents, invoice.currency),
        "tax": minor_as_decimal_string(invoice.tax_cents, invoice.currency),
        "carried_in": as_decimal_string(invoice.carried_in_nanos),
        "carried_out": as_decimal_string(invoice.carried_out_nanos),
        "issued_at": timestamp(invoice.issued_at),
        "due_at": timestamp(invoice.due_at) if invoice.due_at else None,
        "paid_at": timestamp(invoice.paid_at) if invoice.paid_at else None,
        "pay_url": (invoice.hosted_url or None) if is_due else None,
        "urls": {"get": f"{settings.PUBLIC_URL}/v1/billing/invoices/{invoice.pk}"},
    }


def line_document(line: InvoiceLine, invoice: Invoice) -> dict[str, Any]:
    """`exact`: before cents; `amount`: as it is on the invoice, so that all lines add up to the total less tax."""
    price = line.price
    return {
        "kind": line.kind,
        "description": line.description,
        "model": line.model_name or None,
        "hardware": line.hardware or None,
        "meter": line.meter or None,
        "quantity": line.quantity,
        "runs": line.runs,
        "unit_price": price and {"rate": as_decimal_string(price.rate_nanos), "per_units": price.per_units},
        "exact": as_decimal_string(line.amount_nanos),
        "amount": minor_as_decimal_string(line.amount_cents, invoice.currency),
    }
