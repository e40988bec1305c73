"""What travels over the API about money. All of it is beyond Replicate; money is decimal strings."""

from typing import Any

from marketplace.openapi.schemas import TEXT, array, record, ref

_RECEIPT: dict[str, Any] = {
    "document": {**TEXT, "description": "The text that is signed, JSON. Its bytes in UTF-8 are what counts"},
    "digest": {**TEXT, "pattern": "^[0-9a-f]{64}$", "description": "SHA-256 of the document"},
    "key": {**TEXT, "description": "Id of the key that signed it; see `GET /billing/receipt-keys`"},
    "signature": {**TEXT, "description": "Ed25519 over the document, in base64"},
}

BILLING_SCHEMAS: dict[str, Any] = {
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
}
