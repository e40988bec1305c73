"""Signed run receipts: beyond Replicate's API."""

from marketplace.openapi.operation import Operation
from marketplace.openapi.schemas import ref

_KEY_ID = "139e3940e64b5491"
_RECEIPT = {
    "document": '{"account":"12","class":"shared","currency":"usd","ended_at":"2026-01-02T03:04:06.950007Z",'
    '"hardware":"gpu-t4","is_correction":false,"issued_at":"2026-01-02T03:04:07.412000Z",'
    '"issuer":"https://models.example.test","lines":[{"amount":"0.000258473","gross":"0.000258473",'
    '"meter":"compute_time","price":"3","quantity":1148767,'
    '"record":"pred:m9s346q3d25vt4f5v37e3s3e28:compute_time","unit_price":{"per_units":1000000,"rate":"0.000225"}}],'
    '"mode":"prepaid","model":"nina/echo","prediction":"m9s346q3d25vt4f5v37e3s3e28","previous":"","seq":1,'
    '"total":"0.000258473","type":"modelyard.run_receipt/1","verdict":"none",'
    '"version":"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"}',
    "digest": "9bf27c1ff4444321e4a12e144feaa0a40b2454742915a2f84ccfe33bf1ddc737",
    "key": _KEY_ID,
    "signature": "NBTj4RCk5i5NELyGUkK7IpsEbOAwTBIK0PHTRrEU401thhTe6N7LqfdwILjdwKfpEVJm25WJGL4r6fue6xjpCQ==",
}
_EXPORT = '{"document":"{…}","digest":"9bf27c1f…","key":"139e3940e64b5491","signature":"NBTj4RCk…"}\n'

OPERATIONS = (
    Operation(
        "get",
        "/predictions/{prediction_id}/receipt",
        "predictions.receipt",
        "Billing",
        "Get a run's signed receipt",
        {"200": ref("RunReceipt")},
        "Extension: what a prediction or training used, at which price, what it cost and why, signed. Written within a "
        "minute of its end. Receipts of later refunds are in `corrections`.",
        answer_example={**_RECEIPT, "corrections": []},
        errors=("404",),
    ),
    Operation(
        "get",
        "/billing/receipts",
        "billing.receipts.export",
        "Billing",
        "Export all receipts",
        {"200": {"type": "string"}},
        "Extension: JSON lines, each as the receipt of a run, in the order of the account's chain: each document has "
        "the digest of the one before as `previous`, and a `seq` without gaps. Checked without the site.",
        answer_type="application/x-ndjson",
        answer_example=_EXPORT,
        parameters=("after",),
        headers=("Content-Disposition",),
        errors=("400",),
    ),
    Operation(
        "get",
        "/billing/receipt-keys",
        "billing.receipts.keys",
        "Billing",
        "List the public keys of receipts",
        {"200": ref("ReceiptKeys")},
        "Extension: the key that signs receipts now, and those that did before.",
        answer_example={
            "keys": [
                {
                    "id": _KEY_ID,
                    "algorithm": "Ed25519",
                    "public_key": "O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=",
                    "is_current": True,
                }
            ]
        },
        needs_token=False,
    ),
)
