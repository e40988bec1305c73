"""Check exported run receipts offline, by public keys alone: signatures, digests, sums, and the chain between them.

Pure: needs no database and no settings. What is checked is the signed text of each receipt, never a copy of it.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

DOCUMENT_TYPE = "modelyard.run_receipt/1"
_NANO_DIGITS = 9


@dataclass(slots=True)
class Report:
    """What was found. flaws: `line 3: …`, in order. The chain can't tell what comes before `first` and after `last`."""

    receipts: int = 0
    first: int = 0
    last: int = 0
    flaws: list[str] = field(default_factory=list)


class Flawed(Exception):
    """A receipt is not what was signed."""


def check(lines: Iterable[str], keys: Mapping[str, str]) -> Report:
    """Check receipts of one account in the order of their chain; empty lines are passed over.

    lines: JSON, as `GET /v1/billing/receipts` streams them. keys: public keys in base64 by their ids.
    """
    report = Report()
    before: dict[str, Any] | None = None
    digest = ""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        report.receipts += 1
        try:
            found, document = _checked(line, keys)
        except Flawed as flaw:
            report.flaws.append(f"line {number}: {flaw}")
            continue
        if before is not None and (break_ := _break_between(before, digest, document)):
            report.flaws.append(f"line {number}: {break_}")
        before, digest = document, found
        report.first, report.last = report.first or document["seq"], document["seq"]
    return report


def _checked(line: str, keys: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Digest and parsed document of a receipt whose signature holds. Raises Flawed."""
    try:
        receipt = orjson.loads(line)
        text, digest = receipt["document"].encode(), str(receipt["digest"])
        key_id, signature = str(receipt["key"]), base64.b64decode(receipt["signature"], validate=True)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise Flawed("it is no receipt") from error
    if key_id not in keys:
        raise Flawed(f"it is signed by the key {key_id}, which is not among those given")
    if hashlib.sha256(text).hexdigest() != digest:
        raise Flawed("the document does not have its digest: it was changed")
    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(keys[key_id])).verify(signature, text)
    except InvalidSignature as error:
        raise Flawed("the signature does not fit the document: it was changed") from error
    document: dict[str, Any] = orjson.loads(text)
    if document.get("type") != DOCUMENT_TYPE:
        raise Flawed("it is signed, but is no run receipt that this program knows")
    if sum(_nanos(part["amount"]) for part in document["lines"]) != _nanos(document["total"]):
        raise Flawed("its lines don't add up to its total")
    return digest, document


def _nanos(amount: str) -> int:
    whole, _, decimals = amount.partition(".")
    return int(f"{whole}{decimals:0<{_NANO_DIGITS}}")


def _break_between(before: Mapping[str, Any], digest: str, document: Mapping[str, Any]) -> str:
    """Why a document can't follow the one before, whose digest is given; "" where it does."""
    if document["account"] != before["account"]:
        return f"it is of account {document['account']}, the one before of {before['account']}"
    if document["seq"] != before["seq"] + 1:
        return f"its position is {document['seq']}, after {before['seq']}: some are missing, or out of order"
    if document["previous"] != digest:
        return "it names another receipt before it than the one that is there"
    return ""
