"""Facts about an account's money that its owner is told of: a higher room writes them to the event log.

Sent in the transaction that makes them true, and written in it too, so that neither is there without the other.
Source: billing.md 15.1, "Outgoing webhooks".
"""

from enum import StrEnum
from typing import Any

from django.dispatch import Signal

money_event = Signal()
"""An account's money moved. Arguments: account_id (int), type (MoneyEvent), subject and data as `tell` takes them."""


class MoneyEvent(StrEnum):
    """What may be told, by the name that consumers see."""

    LIMIT_THRESHOLD = "billing.limit.threshold"
    BALANCE_LOW = "billing.balance.low"
    TOP_UP_SUCCEEDED = "billing.topup.succeeded"
    TOP_UP_FAILED = "billing.topup.failed"
    INVOICE_ISSUED = "billing.invoice.issued"
    INVOICE_PAID = "billing.invoice.paid"
    INVOICE_FAILED = "billing.invoice.failed"
    REFUND_ISSUED = "billing.refund.issued"


def tell(account_id: int, event: MoneyEvent, subject: str, **data: str | int | None) -> None:
    """Tell it, within the caller's transaction.

    subject: what it is about: `balance`, `limit/<id>`, `top_up/<id>`, `invoice/<id>`; of a refund the
    `prediction/<id>` or `top_up/<id>` that was refunded. data: what explains it, money as decimal strings
    (`money.as_decimal_string`); no names of people, cards or addresses.
    """
    payload: dict[str, Any] = data
    money_event.send(sender=None, account_id=account_id, type=event, subject=subject, data=payload)
