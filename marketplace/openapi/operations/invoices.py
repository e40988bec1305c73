"""Invoices and statements: beyond Replicate's API.  Source: billing.md 12, 15.1."""

from typing import Any

from marketplace.openapi.examples import page_example
from marketplace.openapi.operation import Operation
from marketplace.openapi.schemas import ref

_INVOICE: dict[str, Any] = {
    "id": "i5h1v8q0z3m7k2c9x4n6b8w1r5",
    "number": "2026-000042",
    "kind": "monthly",
    "status": "open",
    "period": "2026-01",
    "currency": "usd",
    "total": "16.04",
    "tax": "0.00",
    "carried_in": "0.00",
    "carried_out": "0.003978758",
    "issued_at": "2026-02-01T06:00:00.000000Z",
    "due_at": "2026-02-08T06:00:00.000000Z",
    "paid_at": None,
    "pay_url": "https://pay.example.test/in_a1b2c3",
    "urls": {"get": "https://models.example.test/v1/billing/invoices/i5h1v8q0z3m7k2c9x4n6b8w1r5"},
}
_LINE = {
    "kind": "usage",
    "description": "nina/echo on gpu-t4",
    "model": "nina/echo",
    "hardware": "gpu-t4",
    "meter": "compute_time",
    "quantity": 71_306_572_258,
    "runs": 9,
    "unit_price": {"rate": "0.000225", "per_units": 1_000_000},
    "exact": "16.043978758",
    "amount": "16.04",
}

OPERATIONS = (
    Operation(
        "get",
        "/billing/invoices",
        "billing.invoices.list",
        "Billing",
        "List invoices",
        {"200": ref("InvoicePage")},
        "Extension: invoices and statements, the last one issued first, 100 a page.",
        answer_example=page_example(_INVOICE),
        parameters=("cursor",),
    ),
    Operation(
        "get",
        "/billing/invoices/{invoice_id}",
        "billing.invoices.get",
        "Billing",
        "Get an invoice",
        {"200": ref("InvoiceWithLines")},
        "Extension: with its lines.",
        answer_example={**_INVOICE, "lines": [_LINE]},
        errors=("404",),
    ),
    Operation(
        "get",
        "/billing/invoices/{invoice_id}.csv",
        "billing.invoices.csv",
        "Billing",
        "Get an invoice's lines as CSV",
        {"200": {"type": "string"}},
        "Extension: exact to the nano-dollar, beside what they are in cents.",
        answer_type="text/csv",
        answer_example="invoice,position,kind,…\r\n2026-000042,1,usage,…\r\n",
        headers=("Content-Disposition",),
        errors=("404",),
    ),
    Operation(
        "get",
        "/billing/invoices/{invoice_id}.pdf",
        "billing.invoices.pdf",
        "Billing",
        "Get an invoice as PDF",
        {"200": {"type": "string", "format": "binary"}},
        "Extension: to print and to keep.",
        answer_type="application/pdf",
        headers=("Content-Disposition",),
        errors=("404",),
    ),
)
