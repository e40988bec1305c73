"""Run receipts: what each run cost and why, signed, and chained per account so that none can be left out unnoticed.

A receipt's document is the exact text that is signed. It names the digest of the account's receipt before it, and its
own position, from 1 without gaps. A correction (a refund, say) changes no receipt: it gets one of its own.
"""

import datetime
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from django.conf import settings

from billing import receipt_keys
from billing.models import BillingAccount, RunReceipt, UsageRecord
from billing.money import as_decimal_string
from billing.outcomes import verdict_of
from billing.receipt_checks import DOCUMENT_TYPE
from billing.run_bills import line_document
from marketplace.lib.problems import NotFound
from marketplace.lib.timestamps import timestamp

_RUN = "prediction/"
_CORRECTION = "correction/"
_NOT_YET = "This run has no receipt yet: it is written within a minute of the run's end."


def write_many(account: BillingAccount, records: Sequence[UsageRecord]) -> None:
    """Write the receipts of runs whose usage is being posted, and of corrections among it; those that are there stay.

    account: locked by the caller, whose transaction this is. records: saved ones, of this account, in order. A run's
    receipt has all its lines, also those that are posted with another batch. Online time has no receipts.
    """
    of_runs = [record for record in records if record.subject.startswith(_RUN)]
    wanted = dict.fromkeys(record.subject for record in of_runs if record.corrects_id is None)
    lines: dict[str, list[UsageRecord]] = {subject: [] for subject in wanted}
    for record in UsageRecord.objects.filter(account_id=account.pk, subject__in=wanted, corrects=None).order_by("id"):
        lines[record.subject].append(record)
    lines |= {f"{_CORRECTION}{record.pk}": [record] for record in of_runs if record.corrects_id is not None}
    for subject in RunReceipt.objects.filter(subject__in=lines).values_list("subject", flat=True):
        del lines[subject]
    if lines:
        _append(account, lines)


def _append(account: BillingAccount, lines: dict[str, list[UsageRecord]]) -> None:
    seq = account.receipt_count
    last = RunReceipt.objects.filter(account_id=account.pk, seq=seq).first()
    previous = last.digest if last else ""
    now = datetime.datetime.now(datetime.UTC)
    receipts: list[RunReceipt] = []
    for subject, records in lines.items():
        seq += 1
        document = orjson.dumps(_document(account, seq, previous, records, now), option=orjson.OPT_SORT_KEYS)
        key_id, signature = receipt_keys.sign(document)
        receipt = RunReceipt(
            subject=subject,
            account_id=account.pk,
            seq=seq,
            document=document.decode(),
            digest=hashlib.sha256(document).hexdigest(),
            previous=previous,
            key_id=key_id,
            signature=signature,
        )
        previous = receipt.digest
        receipts.append(receipt)
    RunReceipt.objects.bulk_create(receipts)
    account.receipt_count = seq
    BillingAccount.objects.filter(pk=account.pk).update(receipt_count=seq)


def _document(
    account: BillingAccount, seq: int, previous: str, records: Sequence[UsageRecord], now: datetime.datetime
) -> dict[str, Any]:
    """Of one run, or one correction. Numbers are small integers or decimal strings; no inputs, outputs or names."""
    run = records[0]
    return {
        "type": DOCUMENT_TYPE,
        "issuer": settings.PUBLIC_URL,
        "account": str(account.pk),
        "seq": seq,
        "previous": previous,
        "prediction": run.subject.removeprefix(_RUN),
        "is_correction": run.corrects_id is not None,
        "model": run.model_name,
        "version": run.version_id,
        "hardware": run.hardware,
        "class": run.billing_class,
        "ended_at": timestamp(run.occurred_at),
        "issued_at": timestamp(now),
        "verdict": verdict_of(run.fault_class) or "none",
        "mode": account.mode,
        "currency": run.currency,
        "lines": [_line(record) for record in records],
        "total": as_decimal_string(sum(record.amount_nanos for record in records)),
    }


def _line(record: UsageRecord) -> dict[str, Any]:
    return {"record": record.key, "price": str(record.price_id), **line_document(record)}


def receipts_of_run(account_id: int, prediction_id: str) -> list[RunReceipt]:
    """The run's receipt, then those of its corrections, in order. Raises NotFound, for other people's too."""
    subject = f"{_RUN}{prediction_id}"
    corrections = UsageRecord.objects.filter(account_id=account_id, subject=subject, corrects__isnull=False)
    subjects = [subject, *(f"{_CORRECTION}{pk}" for pk in corrections.values_list("pk", flat=True))]
    found = list(RunReceipt.objects.filter(account_id=account_id, subject__in=subjects).order_by("seq"))
    if not found:
        is_known = UsageRecord.objects.filter(account_id=account_id, subject=subject).exists()
        raise NotFound(_NOT_YET) if is_known else NotFound()
    return found


def receipts_after(account_id: int, seq: int, limit: int) -> list[RunReceipt]:
    """The account's next receipts in the order of the chain."""
    return list(RunReceipt.objects.filter(account_id=account_id, seq__gt=seq).order_by("seq")[:limit])


def exported(receipts: Iterable[RunReceipt]) -> bytes:
    """As JSON lines, each what `receipt_document` gives."""
    return b"".join(orjson.dumps(receipt_document(receipt)) + b"\n" for receipt in receipts)


def receipt_document(receipt: RunReceipt) -> dict[str, str]:
    """What is needed to check a receipt: the signed text as it is, and what was said of it."""
    return {
        "document": receipt.document,
        "digest": receipt.digest,
        "key": receipt.key_id,
        "signature": receipt.signature,
    }
