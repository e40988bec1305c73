"""What auto-reload remembers of declines: how many in a row, when it tries again, why it is off.

All run in a transaction that holds the account's lock.  Source: billing.md 9.3.
"""

import datetime

from billing import mails
from billing.models import BillingAccount

BACK_OFF = (datetime.timedelta(hours=1), datetime.timedelta(hours=6), datetime.timedelta(hours=24))
_MOST_FAILURES = len(BACK_OFF)
# Declines that no later attempt can turn.  Source: https://docs.stripe.com/declines/codes
FINAL_CODES = frozenset(
    {
        "account_closed",
        "expired_card",
        "fraudulent",
        "invalid_account",
        "lost_card",
        "merchant_blacklist",
        "pickup_card",
        "restricted_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "stolen_card",
        "stop_payment_order",
    }
)
_FINAL_ADVICE = "do_not_try_again"


def note_failure(
    payer: BillingAccount, *, reason: str, now: datetime.datetime, decline_code: str = "", advice_code: str = ""
) -> None:
    """One more attempt has failed: wait, or give up after the third, or at once where no attempt can succeed."""
    failures = payer.reload_failures + 1
    is_final = decline_code in FINAL_CODES or advice_code == _FINAL_ADVICE
    if is_final or failures >= _MOST_FAILURES:
        BillingAccount.objects.filter(pk=payer.pk).update(reload_failures=failures)
        turn_off(payer, f"{reason} Check the card, then turn auto-reload on again.")
        return
    again_at = now + BACK_OFF[failures - 1]
    note = f"{reason} The next attempt is at {again_at:%Y-%m-%d %H:%M} UTC."
    BillingAccount.objects.filter(pk=payer.pk).update(
        reload_failures=failures, reload_not_before=again_at, reload_note=note
    )
    mails.send_after_commit(payer.pk, "Auto-reload failed", note)


def note_success(payer: BillingAccount) -> None:
    """A payment succeeded: what failed before counts no more. Why it is off, if it is, stays to be read."""
    rows = BillingAccount.objects.filter(pk=payer.pk)
    rows.update(reload_failures=0, reload_not_before=None)
    rows.filter(reload_enabled=True).update(reload_note="")


def turn_off(payer: BillingAccount, note: str) -> None:
    """Off, and say why to its owner, once: on the page and by mail. Nothing if it is off."""
    rows = BillingAccount.objects.filter(pk=payer.pk, reload_enabled=True)
    if rows.update(reload_enabled=False, reload_not_before=None, reload_note=note):
        mails.send_after_commit(payer.pk, "Auto-reload is off", note)
