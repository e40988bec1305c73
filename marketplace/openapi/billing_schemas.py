"""What travels over the API about money. All of it is beyond Replicate; money is decimal strings."""

from typing import Any

from marketplace.openapi.schemas import COUNT, LINK, TEXT, TIME, array, nullable, record, ref

MONEY: dict[str, Any] = {
    **TEXT,
    "pattern": r"^-?[0-9]+\.[0-9]{2,9}$",
    "description": "A decimal number, in units of the currency",
    "example": "0.000277778",
}
CURRENCY: dict[str, Any] = {**TEXT, "example": "usd"}

_RECEIPT: dict[str, Any] = {
    "document": {**TEXT, "description": "The text that is signed, JSON. Its bytes in UTF-8 are what counts"},
    "digest": {**TEXT, "pattern": "^[0-9a-f]{64}$", "description": "SHA-256 of the document"},
    "key": {**TEXT, "description": "Id of the key that signed it; see `GET /billing/receipt-keys`"},
    "signature": {**TEXT, "description": "Ed25519 over the document, in base64"},
}

LINE: dict[str, Any] = {
    "meter": {**TEXT, "example": "compute_time"},
    "quantity": {"type": "integer", "description": "In base units: microseconds, images, tokens"},
    "unit_price": record({"rate": MONEY, "per_units": {"type": "integer", "minimum": 1}}),
    "gross": {**MONEY, "description": "Price of the quantity"},
    "amount": {**MONEY, "description": "What is charged: less than `gross` where a quote capped it"},
}

BILLING_SCHEMAS: dict[str, Any] = {
    "RunBill": record(
        {
            "status": {
                "type": "string",
                "enum": ["pending", "final", "refunded"],
                "description": "`pending`: not taken from credit or put on the bill yet. `refunded`: wholly or in part",
            },
            "total": {**MONEY, "description": "What it cost, less refunds"},
            "currency": CURRENCY,
            "verdict": {**TEXT, "description": "Whose doing a failure was; `none` where nothing failed"},
            "lines": array(record(LINE)),
        },
        description="Extension: only in answers to reading, of what has ended: what it cost and why.",
    ),
    "SpendProblem": record(
        {
            "title": TEXT,
            "detail": {**TEXT, "description": "What is wrong, in words"},
            "status": {"type": "integer"},
            "code": {
                "type": "string",
                "enum": [
                    "insufficient_credit",
                    "trial_exhausted",
                    "payment_failed",
                    "spend_limit_reached",
                    "velocity_limit_reached",
                    "account_suspended",
                ],
            },
            "required": {**MONEY, "description": "What is held for such a run"},
            "available": {**MONEY, "description": "What the account, or the limit that refused, has left"},
            "currency": TEXT,
            "limit": {
                "nullable": True,
                **record(
                    {
                        "scope": {"type": "string", "enum": ["account", "token", "member", "deployment"]},
                        "key": {**TEXT, "description": "Which token, member or deployment; empty for the account"},
                        "period": {"type": "string", "enum": ["month", "day", "hour"]},
                        "value": MONEY,
                        "used": {**MONEY, "description": "Spent in the period, and held for what runs"},
                    }
                ),
                "description": "The limit that refused; buying credit does not change it. Null where credit is missing",
            },
            "resets_at": {"nullable": True, **TIME, "description": "When the limit's next period starts"},
            "resolution": record(
                {
                    "action": {
                        "type": "string",
                        "enum": ["add_credit", "raise_limit", "update_payment_method", "contact_support"],
                    },
                    "url": {**TEXT, "description": "The page where that is done"},
                }
            ),
        },
        description="A run that was not accepted because of money. Nothing was made, held or charged.",
    ),
    "SignedReceipt": record(_RECEIPT),
    "RunReceipt": record(
        {
            **_RECEIPT,
            "corrections": array(
                {**ref("SignedReceipt"), "description": "Of later refunds, each a receipt of its own"}
            ),
        }
    ),
    "ReceiptKeys": record(
        {
            "keys": array(
                record(
                    {
                        "id": TEXT,
                        "algorithm": {"type": "string", "enum": ["Ed25519"]},
                        "public_key": {**TEXT, "description": "32 bytes in base64"},
                        "is_current": {"type": "boolean", "description": "It signs what is written now"},
                    }
                )
            )
        }
    ),
    "NewQuote": record(
        {
            "version": {**TEXT, "description": "A version id, `owner/name:id`, or `owner/name` of an official model"},
            "model": {**TEXT, "description": "`owner/name` of an official model"},
            "deployment": {**TEXT, "description": "`owner/name` of a deployment of yours"},
            "input": {
                "type": "object",
                "additionalProperties": True,
                "description": "Exactly what the run will be given",
            },
        },
        optional="version model deployment",
        additionalProperties=False,
        description="One of `version`, `model` and `deployment` must be there, and no other.",
    ),
    "BindingQuote": record(
        {
            "id": TEXT,
            "model": TEXT,
            "version": TEXT,
            "hardware": {**TEXT, "description": "A SKU of `GET /hardware`"},
            "deployment": TEXT,
            "price": record({"currency": TEXT, "per_second": TEXT, "per_second_nanos": COUNT}),
            "currency": CURRENCY,
            "p50": {**MONEY, "description": "What half of the runs like it would cost at most"},
            "p90": {**MONEY, "description": "What nine in ten would cost at most"},
            "max": {**MONEY, "description": "What the run costs at most, however long it takes"},
            "runs": {**COUNT, "description": "How many runs these figures come from"},
            "created_at": TIME,
            "expires_at": TIME,
            "used_by": nullable({**TEXT, "description": "Id of the prediction that was made with it"}),
            "urls": record({"get": LINK}),
        },
        optional="deployment",
    ),
}
