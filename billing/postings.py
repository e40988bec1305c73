"""Which ledger accounts each kind of posting may touch, and on which side.  Source: billing.md 6.2, 6.3."""

from collections.abc import Mapping

_DEBIT, _CREDIT, _BOTH = "debit", "credit", "debit credit"

TEMPLATES: Mapping[str, Mapping[str, str]] = {
    "top_up": {"psp_clearing": _DEBIT, "wallet": _CREDIT, "tax_payable": _CREDIT},
    "psp_fee": {"psp_fees": _BOTH, "psp_clearing": _BOTH},
    "grant": {"promo_cost": _DEBIT, "promo": _CREDIT},
    "grant_withdrawn": {"promo": _DEBIT, "promo_cost": _CREDIT},
    "grant_expired": {"promo": _DEBIT, "promo_cost": _CREDIT},
    "credit_expired": {"wallet": _DEBIT, "breakage": _CREDIT},
    "usage": {
        "promo": _DEBIT,
        "wallet": _DEBIT,
        "unbilled": _DEBIT,
        "internal_usage": _DEBIT,
        "revenue": _CREDIT,
    },
    "discount": {"discounts": _BOTH, "wallet": _BOTH, "unbilled": _BOTH},
    "usage_refund": {
        "service_credits": _DEBIT,
        "promo": _CREDIT,
        "wallet": _CREDIT,
        "unbilled": _CREDIT,
        "internal_usage": _CREDIT,
    },
    "invoice_issued": {"receivable": _DEBIT, "unbilled": _CREDIT, "wallet": _CREDIT, "tax_payable": _CREDIT},
    "invoice_paid": {"psp_clearing": _DEBIT, "receivable": _CREDIT},
    "invoice_paid_by_hand": {"bank": _DEBIT, "receivable": _CREDIT},
    "invoice_voided": {"receivable": _CREDIT, "unbilled": _DEBIT, "wallet": _DEBIT, "tax_payable": _DEBIT},
    "credit_note": {"service_credits": _DEBIT, "receivable": _CREDIT, "psp_clearing": _CREDIT, "wallet": _CREDIT},
    "card_refund": {"wallet": _DEBIT, "tax_payable": _DEBIT, "psp_clearing": _CREDIT},
    "card_refund_failed": {"wallet": _CREDIT, "tax_payable": _CREDIT, "psp_clearing": _DEBIT},
    "dispute_withdrawn": {"dispute": _DEBIT, "psp_fees": _DEBIT, "psp_clearing": _CREDIT},
    "dispute_won": {"psp_clearing": _DEBIT, "dispute": _CREDIT, "psp_fees": _CREDIT},
    "dispute_lost": {"wallet": _DEBIT, "dispute": _CREDIT},
    "payout_to_bank": {"bank": _BOTH, "psp_clearing": _BOTH},
    "publisher_share": {"publisher_cost": _BOTH, "publisher": _BOTH},
    "publisher_paid": {"publisher": _DEBIT, "psp_clearing": _CREDIT, "bank": _CREDIT},
    "write_off": {"bad_debt": _DEBIT, "dispute_loss": _DEBIT, "receivable": _CREDIT, "wallet": _CREDIT},
    "unexplained": {"suspense": _BOTH, "psp_clearing": _BOTH},
}
