"""Credit bought over the API: a request that is sent again under its `Idempotency-Key` buys once.

The key is committed with the id of the top-up to be before Stripe hears anything, because the money can't be rolled
back with a transaction.  Source: billing.md 14.4, 15.1.
"""

import datetime
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from accounts import idempotency
from accounts.access import Caller
from accounts.idempotency import Key, StillInProgress
from billing import top_ups
from billing.models import TopUp
from marketplace.lib.ids import new_id
from marketplace.lib.problems import NotFound

_SUBJECT = "top_up/"
_IN_PROGRESS = datetime.timedelta(minutes=2)  # longer than a purchase may take


@dataclass(frozen=True, slots=True)
class Purchase:
    """is_repeated: it was made by an earlier request with the same key."""

    top_up: TopUp
    is_repeated: bool


def buy(caller: Caller, amount_cents: int, *, with_saved_card: bool, key: Key | None) -> Purchase:
    """Buy credit, once for each key. Outside of transactions.

    Raises KeyInUse, StillInProgress, and what `top_ups.create_checkout` or `top_ups.buy_with_saved_card` raise.
    """
    top_up_id = new_id()
    if key is not None:
        with transaction.atomic():
            record = idempotency.claim(key, subject=f"{_SUBJECT}{top_up_id}")
        if record is not None:
            top_up_id = record.subject.removeprefix(_SUBJECT)
            if made := TopUp.objects.filter(pk=top_up_id).first():
                return Purchase(made, is_repeated=True)
            if record.created_at > timezone.now() - _IN_PROGRESS:
                raise StillInProgress
    purchase = top_ups.buy_with_saved_card if with_saved_card else top_ups.create_checkout
    top_up = purchase(caller.account_id, amount_cents, user_id=caller.user_id, top_up_id=top_up_id)
    return Purchase(top_up, is_repeated=False)


def get_top_up(caller: Caller, top_up_id: str) -> TopUp:
    """One of the account's. Raises NotFound, for other people's too."""
    found = TopUp.objects.filter(pk=top_up_id, account_id=caller.account_id).first()
    if found is None:
        raise NotFound
    return found
