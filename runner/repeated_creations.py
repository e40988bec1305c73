"""Predictions made under an `Idempotency-Key`: the row and the key are written together, and found again by it.

Source: replicate-api.md 1.10.
"""

from django.db import transaction

from accounts import idempotency
from accounts.idempotency import Key
from accounts.models import IdempotencyRecord
from marketplace.lib.problems import Conflict
from runner import binding_quotes, lifecycle
from runner.models import Prediction

_SUBJECT = "prediction/"


class AlreadyMade(Exception):
    """Another request with the same key was quicker; `prediction` is what it made."""

    def __init__(self, prediction: Prediction) -> None:
        super().__init__(prediction.pk)
        self.prediction = prediction


def find_made(key: Key) -> Prediction | None:
    """The prediction that the key has made. Raises KeyInUse, and Conflict where it is gone."""
    record = idempotency.find(key)
    return None if record is None else _made_by(record)


def insert_once(key: Key, prediction: Prediction, quote_id: str = "") -> None:
    """Write a prediction that `prepare` made and its key in one transaction, and that its quote, if any, was used.

    Raises AlreadyMade, and as `idempotency.claim` and `binding_quotes.claim`.
    """
    with transaction.atomic():
        if record := idempotency.claim(key, subject=f"{_SUBJECT}{prediction.pk}"):
            raise AlreadyMade(_made_by(record))
        if quote_id:
            binding_quotes.claim(quote_id, prediction)
        lifecycle.insert_all([prediction])


def _made_by(record: IdempotencyRecord) -> Prediction:
    prediction_id = record.subject.removeprefix(_SUBJECT)
    found = Prediction.objects.filter(pk=prediction_id, account_id=record.account_id).first()
    if found is None:
        raise Conflict("What was created with this Idempotency-Key is no longer there.")
    return found
