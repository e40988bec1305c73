"""An account whose credit runs low is told once, when it falls below its own threshold.  Source: billing.md 15.1."""

from billing import notices
from billing.models import BillingAccount
from billing.money import as_decimal_string
from billing.notices import MoneyEvent


def tell_if_crossed(payer: BillingAccount, amount_nanos: int) -> None:
    """Tell if usage of this amount takes a locked account's credit, or its line, below its threshold for auto-reload.

    payer: as it was before the amount was posted. What is held does not count: it may come back.
    """
    if not payer.is_charged:
        return
    before = payer.available_nanos + payer.held_nanos
    after = before - amount_nanos
    if after < payer.reload_threshold_nanos <= before:
        shown = {"available": after, "threshold": payer.reload_threshold_nanos}
        amounts = {name: as_decimal_string(nanos) for name, nanos in shown.items()}
        notices.tell(payer.pk, MoneyEvent.BALANCE_LOW, "balance", **amounts, currency=payer.currency)
