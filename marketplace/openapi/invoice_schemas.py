"""What travels over the API about invoices. All of it is beyond Replicate."""

from typing import Any

from billing.models import Invoice, InvoiceLine
from marketplace.openapi.billing_schemas import CURRENCY, LINE, MONEY
from marketplace.openapi.schemas import COUNT, LINK, TEXT, TIME, array, nullable, page_of, record

_CENTS: dict[str, Any] = {**TEXT, "description": "In units of the currency, with its decimals", "example": "16.04"}
_INVOICE: dict[str, Any] = {
    "id": TEXT,
    "number": TEXT,
    "kind": {
        "type": "string",
        "enum": Invoice.Kind.values,
        "description": "`statement`: what was taken from credit; little or nothing is due",
    },
    "status": {"type": "string", "enum": Invoice.State.values},
    "period": {**TEXT, "example": "2026-01"},
    "currency": CURRENCY,
    "total": {**_CENTS, "description": "What is due, with tax"},
    "tax": _CENTS,
    "carried_in": {**MONEY, "description": "Fractions of a cent from the invoice before"},
    "carried_out": {**MONEY, "description": "Fractions of a cent for the next one"},
    "issued_at": TIME,
    "due_at": nullable(TIME),
    "paid_at": nullable(TIME),
    "pay_url": nullable({**LINK, "description": "Where it can be paid, while it can"}),
    "urls": record({"get": LINK}),
}

INVOICE_SCHEMAS: dict[str, Any] = {
    "Invoice": record(_INVOICE),
    "InvoicePage": page_of("Invoice"),
    "InvoiceWithLines": record(
        {
            **_INVOICE,
            "lines": array(
                record(
                    {
                        "kind": {"type": "string", "enum": InvoiceLine.Kind.values},
                        "description": TEXT,
                        "model": nullable(TEXT),
                        "hardware": nullable(TEXT),
                        "meter": nullable(TEXT),
                        "quantity": nullable({"type": "integer"}),
                        "runs": nullable(COUNT),
                        "unit_price": nullable(LINE["unit_price"]),
                        "exact": {**MONEY, "description": "Before it was put into cents"},
                        "amount": {**_CENTS, "description": "As it is on the invoice: all lines add up"},
                    }
                )
            ),
        }
    ),
}
