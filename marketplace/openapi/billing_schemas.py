"""What travels over the API about money. All of it is beyond Replicate; money is decimal strings."""

from typing import Any

from billing.appeals import LONGEST_NOTE
from billing.classes import BillingClass, FaultClass
from billing.models import LimitPeriod, LimitScope
from billing.money import AMOUNT
from billing.outcomes import Charge, verdict_of
from marketplace.openapi.schemas import COUNT, LINK, TEXT, TIME, array, nullable, page_of, record, ref

MONEY: dict[str, Any] = {
    **TEXT,
    "pattern": r"^-?[0-9]+\.[0-9]{2,9}$",
    "description": "A decimal number, in units of the currency",
    "example": "0.000277778",
}
GIVEN_MONEY: dict[str, Any] = {**TEXT, "pattern": f"^{AMOUNT}$", "example": "100.00"}
CURRENCY: dict[str, Any] = {**TEXT, "example": "usd"}
_DAY: dict[str, Any] = {**TEXT, "format": "date", "example": "2026-01-02"}
_SCOPE: dict[str, Any] = {"type": "string", "enum": LimitScope.values}
_PERIOD: dict[str, Any] = {"type": "string", "enum": LimitPeriod.values, "description": "A calendar one, of UTC"}
_KEY: dict[str, Any] = {
    **TEXT,
    "description": "Empty for the account; else the id of a token or member, or a deployment's `owner/name`",
}

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

VERDICTS = sorted(filter(None, (verdict_of(fault) for fault in FaultClass)))
_CLASSES = [str(one) for one in BillingClass]
PRICE_LINE: dict[str, Any] = {
    "meter": {**TEXT, "example": "output_image"},
    "rate": {**MONEY, "description": "For `per_units` base units: microseconds, milliseconds, images, tokens"},
    "per_units": {"type": "integer", "minimum": 1},
    "selector": {
        "type": "object",
        "additionalProperties": True,
        "description": "Members of the input that it is for; the line whose selector says most counts",
    },
    "min_charge": {**MONEY, "description": "Of one run that used something"},
    "currency": CURRENCY,
    "effective_from": TIME,
}

BILLING_SCHEMAS: dict[str, Any] = {
    "PriceLine": record(PRICE_LINE, description="Extension: one price."),
    "Pricing": record(
        {"by": {"type": "string", "enum": ["time", "units"]}, "lines": array(ref("PriceLine"))},
        description="Extension: what a run costs, by its processing time or by what it makes.",
    ),
    "PriceList": record(
        {
            "hardware": array(record({"sku": TEXT, **PRICE_LINE})),
            "models": array(record({"model": TEXT, "lines": array(ref("PriceLine"))})),
        }
    ),
    "BillingRules": record(
        {
            "classes": array(record({"class": {"type": "string", "enum": _CLASSES}, "charged": TEXT})),
            "outcomes": array(
                record(
                    {
                        "outcome": TEXT,
                        "title": TEXT,
                        "verdicts": array({"type": "string", "enum": VERDICTS}),
                        "charged": record(
                            {one: {"type": "string", "enum": [str(c) for c in Charge]} for one in _CLASSES}
                        ),
                        "note": TEXT,
                    }
                )
            ),
            "instance_time": record({"segment_seconds": COUNT, "gap_seconds": COUNT, "setup_failures_charged": COUNT}),
        }
    ),
    "NewAppeal": record(
        {"note": {**TEXT, "minLength": 1, "maxLength": LONGEST_NOTE, "description": "Why the verdict is wrong"}}
    ),
    "Appeal": record(
        {
            "prediction": TEXT,
            "state": {"type": "string", "enum": ["open", "accepted", "rejected"]},
            "note": TEXT,
            "answer": nullable(TEXT),
            "created_at": TIME,
            "decided_at": nullable(TIME),
        }
    ),
    "RunBill": record(
        {
            "status": {
                "type": "string",
                "enum": ["pending", "final", "refunded"],
                "description": "`pending`: not taken from credit or put on the bill yet. `refunded`: wholly or in part",
            },
            "total": {**MONEY, "description": "What it cost, less refunds"},
            "currency": CURRENCY,
            "verdict": {
                **TEXT,
                "enum": ["none", *VERDICTS],
                "description": "Whose doing its end was; `none` of a success",
            },
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
    "Balance": record(
        {
            "mode": {"type": "string", "enum": ["internal", "trial", "prepaid", "postpaid"]},
            "status": {"type": "string", "enum": ["active", "restricted", "suspended", "closed"]},
            "currency": CURRENCY,
            "available": nullable({**MONEY, "description": "What new work may cost; null: it is metered, not charged"}),
            "balance": {**MONEY, "description": "Credit of all kinds, less any overrun"},
            "free": {**MONEY, "description": "Of it: free credit"},
            "paid": {**MONEY, "description": "Of it: bought credit"},
            "overrun": {**MONEY, "description": "What work cost beyond the credit"},
            "held": {**MONEY, "description": "Reserved for work that is under way"},
            "owed": {**MONEY, "description": "Used, and not paid yet, of an account with invoices"},
            "credit_line": {**MONEY, "description": "How much may be owed"},
            "pending_top_ups": {**MONEY, "description": "Credit that is being bought"},
            "month_to_date": {**MONEY, "description": "Used in this month of UTC"},
            "per_day": {**MONEY, "description": "Used a day, the mean of the last seven"},
            "days_left": nullable({**COUNT, "description": "Until the credit is used up, if that goes on"}),
        }
    ),
    "Usage": record(
        {
            "from": _DAY,
            "to": _DAY,
            "group_by": array(TEXT),
            "currency": CURRENCY,
            "total": MONEY,
            "groups": array(
                record(
                    {
                        "day": _DAY,
                        "model": nullable(TEXT),
                        "version": nullable(TEXT),
                        "deployment": nullable(TEXT),
                        "hardware": nullable(TEXT),
                        "token": nullable(TEXT),
                        "token_name": nullable(TEXT),
                        "member": nullable(TEXT),
                        "meter": LINE["meter"],
                        "quantity": LINE["quantity"],
                        "runs": {"type": "integer", "description": "That used the meter"},
                        "gross": LINE["gross"],
                        "amount": LINE["amount"],
                    },
                    optional="day model version deployment hardware token token_name member",
                    description="Has the members that were grouped by; null for no token, member or deployment",
                )
            ),
        }
    ),
    "UsageRecord": record(
        {
            "id": {**TEXT, "description": "Its key: what was used, and which meter"},
            "occurred_at": TIME,
            "period": {**TEXT, "example": "2026-01"},
            "prediction": TEXT,
            "training": TEXT,
            "instance": TEXT,
            "model": TEXT,
            "version": TEXT,
            "hardware": TEXT,
            "deployment": nullable(TEXT),
            "class": {**TEXT, "example": "shared"},
            **LINE,
            "currency": CURRENCY,
            "token": nullable({**TEXT, "description": "Id of the API token that was used"}),
            "status": {"type": "string", "enum": ["pending", "final"]},
            "fault_class": TEXT,
            "corrects": nullable({**TEXT, "description": "Id of the record that it takes back, wholly or in part"}),
            "reason": {**TEXT, "description": "Of a correction"},
            "invoice": nullable({**TEXT, "description": "Number of the invoice it is on"}),
        },
        optional="prediction training instance",
    ),
    "UsageRecordPage": page_of("UsageRecord"),
    "Limit": record(
        {
            "id": TEXT,
            "scope": _SCOPE,
            "key": _KEY,
            "period": _PERIOD,
            "limit": MONEY,
            "hard": {"type": "boolean", "description": "New work is refused once it is reached; else it only warns"},
            "spent": {**MONEY, "description": "In the period that runs, after discounts, before credit"},
            "held": {**MONEY, "description": "By work that is under way"},
            "left": MONEY,
            "resets_at": TIME,
        }
    ),
    "Limits": record({"limits": array(ref("Limit"))}),
    "NewLimit": record(
        {
            "scope": {**_SCOPE, "default": "account"},
            "key": {**_KEY, "default": ""},
            "period": _PERIOD,
            "limit": GIVEN_MONEY,
            "hard": {"type": "boolean", "default": True},
        },
        optional="scope key hard",
    ),
    "TopUp": record(
        {
            "id": TEXT,
            "status": {
                "type": "string",
                "enum": ["created", "sent", "requires_action", "unknown", "succeeded", "failed", "expired"],
            },
            "source": {"type": "string", "enum": ["checkout", "saved_card", "auto_reload"]},
            "amount": {**TEXT, "description": "Credit that is bought, in units of the currency"},
            "tax": TEXT,
            "refunded": {**TEXT, "description": "What went back to the card"},
            "currency": CURRENCY,
            "checkout_url": nullable({**LINK, "description": "Where it can be paid, while it can"}),
            "error": nullable(TEXT),
            "decline_code": nullable({**TEXT, "description": "Why the card's bank refused"}),
            "card": nullable({**TEXT, "description": "Its brand and last four digits"}),
            "receipt_number": nullable(TEXT),
            "created_at": TIME,
            "settled_at": nullable(TIME),
            "urls": record({"get": LINK}),
        }
    ),
    "TopUpPage": page_of("TopUp"),
    "NewTopUp": record(
        {
            "amount": {**GIVEN_MONEY, "example": "25.00"},
            "saved_card": {
                "type": "boolean",
                "default": False,
                "description": "Charge the default card now. Without it the answer's `checkout_url` is where to pay",
            },
        },
        optional="saved_card",
    ),
    "CardSetup": record({"url": {**LINK, "description": "A page on which the card is given"}}),
    "PaymentMethod": record(
        {
            "id": TEXT,
            "brand": TEXT,
            "last4": TEXT,
            "exp_month": COUNT,
            "exp_year": COUNT,
            "is_default": {"type": "boolean", "description": "It is the one that is charged"},
            "created_at": TIME,
        }
    ),
    "PaymentMethods": record({"payment_methods": array(ref("PaymentMethod"))}),
    "AutoReload": record(
        {
            "enabled": {"type": "boolean"},
            "threshold": {**MONEY, "description": "Credit is bought when no more is left"},
            "target": {**MONEY, "description": "So much that there is this much again"},
            "monthly_cap": nullable({**MONEY, "description": "At most this much a month; null for no cap"}),
            "currency": CURRENCY,
            "note": nullable({**TEXT, "description": "Why it was turned off"}),
            "waits_until": nullable(TIME),
        }
    ),
    "NewAutoReload": record(
        {
            "enabled": {"type": "boolean"},
            "threshold": nullable({**GIVEN_MONEY, "description": "At least 5.00; without it as before"}),
            "target": nullable({**GIVEN_MONEY, "description": "At least 15.00; without it as before"}),
            "monthly_cap": nullable({**GIVEN_MONEY, "description": "null, or none given: no cap"}),
        },
        optional="threshold target monthly_cap",
    ),
}
