"""Binding quotes: a run of this input, made within ten minutes, costs at most so much. An extension.

The maximum follows from what runs of the same version took on the same hardware: the longest one and a quarter more, or
half more than nine in ten took, whichever is more; never more than the time limit lets a run take. Where too few runs
are known nothing is promised. What a run takes beyond the maximum is the platform's loss: it is not stopped for it.
"""

import datetime
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.access import Caller
from billing.models import Quote
from billing.money import as_decimal_string
from billing.prices import price_by_id
from marketplace.lib import signing
from marketplace.lib.problems import Conflict, InputInvalid, InvalidField, NotFound
from marketplace.lib.timestamps import timestamp
from models_catalog.lookup import VersionFacts
from runner import lifecycle, predictions, quotes
from runner.deployment_targets import DeploymentTarget
from runner.models import Prediction
from runner.predictions import NewPrediction
from runner.quotes import FEWEST_RUNS, MICROSECONDS, Basis
from runner.run_costs import cost_of_time, costs_of_units

LIFETIME = datetime.timedelta(minutes=10)


class NothingKnown(Conflict):
    """Too few runs tell what this one may take."""

    def __init__(self, hardware: str) -> None:
        super().__init__(
            f"Nothing can be promised: fewer than {FEWEST_RUNS} runs of this version have succeeded on {hardware}. "
            "A call with `dry_run` tells what is known."
        )

    def body(self) -> dict[str, Any]:
        return {**super().body(), "code": "unknown"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be run: a version's facts, whether it was named by its official model, the deployment, the input."""

    facts: VersionFacts
    by_name: bool
    deployment: DeploymentTarget | None
    input: dict[str, Any]


def give(caller: Caller, wanted: Wanted) -> Quote:
    """Promise a maximum for this input. Raises InputInvalid as creating would, NothingKnown, PriceMissing."""
    run = prepared(caller, wanted)
    basis = quotes.find_basis(run)
    if basis is None or basis.of != "version":
        raise NothingKnown(run.hardware)
    return Quote.objects.create(
        account_id=caller.account_id,
        model_name=run.model_name,
        version_id=run.version_id,
        hardware=run.hardware,
        deployment_name=run.deployment_name,
        input_hash=input_hash(wanted.input),
        price=run.price,
        p50_nanos=quotes.cost_at(run, basis, 50),
        p90_nanos=quotes.cost_at(run, basis, 90),
        max_nanos=_most(run, basis),
        runs=len(basis.microseconds),
        expires_at=timezone.now() + LIFETIME,
    )


def prepared(caller: Caller, wanted: Wanted) -> Prediction:
    """The run that a creation would make; nobody inserts it. Raises InputInvalid, PriceMissing."""
    new = NewPrediction(input=wanted.input, by_name=wanted.by_name, deployment=wanted.deployment, is_dry_run=True)
    return predictions.prepare(caller, wanted.facts, new, now=timezone.now())


def _most(run: Prediction, basis: Basis) -> int:
    """Of what is charged by units: a quarter more than the dearest run would have cost."""
    costs = costs_of_units(run)
    return -(-costs[-1] * 5 // 4) if costs else cost_of_time(run, longest(basis))


def longest(basis: Basis) -> int:
    """Microseconds that are charged at most: see the module."""
    wanted = max(-(-basis.microseconds[-1] * 5 // 4), -(-basis.p90 * 3 // 2))
    limit = settings.PREDICTION_TIMEOUT_SECONDS * MICROSECONDS
    return min(wanted, limit) if limit else wanted


def input_hash(value: Mapping[str, Any]) -> str:
    """64 hex digits that tell two inputs apart, and nothing of them to who has no key of this installation."""
    return hmac.digest(
        signing.derived("quoted inputs"), orjson.dumps(value, option=orjson.OPT_SORT_KEYS), "sha256"
    ).hex()


def get_quote(caller: Caller, quote_id: str) -> Quote:
    """One of the account's. Raises NotFound, for other people's too."""
    quote = Quote.objects.filter(pk=quote_id, account_id=caller.account_id).first()
    if quote is None:
        raise NotFound
    return quote


def bind(caller: Caller, quote_id: str, run: Prediction, value: Mapping[str, Any]) -> None:
    """Give a run that is about to be written the quote's price and maximum. value: its input as it was given.

    Raises InputInvalid naming `quote` where it is none of the account's, or was given for something else; Conflict
    where it has expired or was used.
    """
    quote = Quote.objects.filter(pk=quote_id, account_id=caller.account_id).first()
    if quote is None:
        raise _refused("There is no such quote")
    given_for = {
        "version": (quote.version_id, run.version_id),
        "deployment": (quote.deployment_name, run.deployment_name),
        "hardware": (quote.hardware, run.hardware),
        "input": (quote.input_hash, input_hash(value)),
    }
    if other := [name for name, (quoted, asked) in given_for.items() if quoted != asked]:
        raise _refused(f"It was given for another {other[0]}")
    _ensure_open(quote)
    run.price = price_by_id(quote.price_id)
    run.cost_cap_nanos = quote.max_nanos


def _refused(why: str) -> InputInvalid:
    return InputInvalid([InvalidField("quote", "quote", why)])


def _ensure_open(quote: Quote) -> None:
    if quote.used_by:
        raise Conflict(f"quote: It was used for the prediction {quote.used_by}.")
    if quote.expires_at <= timezone.now():
        raise Conflict(f"quote: It expired at {timestamp(quote.expires_at)}.")


def insert_once(quote_id: str, run: Prediction) -> None:
    """Write a run that `bind` made ready, and that its quote was used for it, or neither. Raises Conflict."""
    with transaction.atomic():
        claim(quote_id, run)
        lifecycle.insert_all([run])


def claim(quote_id: str, run: Prediction) -> None:
    """Within the transaction that writes the run: no other may have the quote. Raises Conflict."""
    open_quotes = Quote.objects.filter(pk=quote_id, used_by="", expires_at__gt=timezone.now())
    if not open_quotes.update(used_by=run.pk):
        _ensure_open(Quote.objects.get(pk=quote_id))


def quote_document(quote: Quote, *, hides_version: bool) -> dict[str, Any]:
    """A quote as the API shows it. hides_version: of an official model, as on its predictions."""
    document = {
        "id": quote.pk,
        "model": quote.model_name,
        "version": "hidden" if hides_version else quote.version_id,
        "hardware": quote.hardware,
        "price": quotes.price_document(price_by_id(quote.price_id)),
        "currency": price_by_id(quote.price_id).currency,
        "p50": as_decimal_string(quote.p50_nanos),
        "p90": as_decimal_string(quote.p90_nanos),
        "max": as_decimal_string(quote.max_nanos),
        "runs": quote.runs,
        "created_at": timestamp(quote.created_at),
        "expires_at": timestamp(quote.expires_at),
        "used_by": quote.used_by or None,
        "urls": {"get": f"{settings.PUBLIC_URL}/v1/quotes/{quote.pk}"},
    }
    if quote.deployment_name:
        document["deployment"] = quote.deployment_name
    return document


def forget_old() -> int:
    """Remove quotes that expired a day ago; how many. What was promised stays with the predictions made with them."""
    old = Quote.objects.filter(expires_at__lt=timezone.now() - datetime.timedelta(days=1))
    return old.delete()[0]
