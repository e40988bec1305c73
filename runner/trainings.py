"""Trainings: accept, find, and bring to their result. A training is a run whose success makes a version.

What happens to it while it waits and runs is `lifecycle`'s, as for predictions. Flow of a success: `keep_result` stores
what the model gave, then `succeed` writes the end and the new version in one transaction, so that neither is there
without the other, whoever dies when.  Source: replicate-api.md 2.10.
"""

import datetime
from dataclasses import dataclass, replace
from typing import Any

import orjson
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Lower

from accounts.access import Caller
from billing import prices
from billing.classes import BillingClass
from marketplace.lib import wakeups
from marketplace.lib.ids import new_id
from marketplace.lib.problems import NotFound, Problem
from models_catalog import lookup, publishing
from models_catalog.lookup import VersionFacts
from models_catalog.models import Model
from runner import files, lifecycle, predictions
from runner.creation_requests import CreationBody
from runner.lifecycle import Outcome
from runner.models import Prediction
from runner.states import FaultClass, Status

_NO_DESTINATION = "The specified training destination does not exist"


class NotTrainable(Problem):
    """The version has nothing that trains."""

    status = 422
    title = "Model is not trainable"

    def __init__(self) -> None:
        super().__init__("The specified version does not have a training function")


@dataclass(frozen=True, slots=True)
class Trainer:
    """A version that can train, and the model its result goes to."""

    facts: VersionFacts
    destination: Model


def find_trainer(caller: Caller, owner: str, name: str, version_id: str, destination: object) -> Trainer:
    """What a request names. destination: `owner/name` of one of the caller's own models, or whatever came instead.

    Raises NotFound (for the version, or with a text of its own for the destination), NotTrainable.
    """
    facts = lookup.find_facts(caller, version_id)
    if facts is None or facts.model_name.lower() != f"{owner}/{name}".lower():
        raise NotFound
    if "TrainingInput" not in facts.schema.get("components", {}).get("schemas", {}):
        raise NotTrainable
    return Trainer(facts, _find_destination(caller, destination))


def _find_destination(caller: Caller, destination: object) -> Model:
    owner, _, name = destination.partition("/") if isinstance(destination, str) else ("", "", "")
    mine = Model.objects.filter(account_id=caller.account_id, deleted_at=None).select_related("account")
    model = mine.alias(key=Lower("name")).filter(key=name.lower()).first()
    if model is None or model.account.username.lower() != owner.lower():
        raise NotFound(_NO_DESTINATION)
    return model


def create(
    caller: Caller,
    trainer: Trainer,
    asked: CreationBody,
    *,
    source: str = Prediction.Source.API,
    traceparent: str = "",
) -> Prediction:
    """Accept a training and wake the runners.

    Raises InputInvalid with every violation; MayNotSpend; PriceMissing.
    """
    facts = trainer.facts
    shown, sealed_secrets = predictions.checked_input(caller, facts, asked.input, "TrainingInput")
    training = Prediction(
        id=new_id(),
        kind=Prediction.Kind.TRAINING,
        destination=trainer.destination,
        account_id=caller.account_id,
        user_id=caller.user_id,
        token_id=caller.token_id,
        model_id=facts.model_id,
        version_id=facts.version_id,
        model_name=facts.model_name,
        version_label=facts.version_id,
        hardware=facts.hardware,
        price=prices.current_book().hardware_price(facts.hardware, caller.account_id),
        billing_class=BillingClass.TRAINING,
        source=source,
        input=shown,
        sealed_secrets=sealed_secrets,
        created_at=datetime.datetime.now(datetime.UTC),
        webhook=asked.webhook,
        webhook_events=asked.webhook_events,
        is_webhook_legacy=asked.is_webhook_legacy,
        traceparent=traceparent,
    )
    lifecycle.insert_all([training])
    wakeups.send_after_commit(wakeups.RUNNERS, {"type": "work"})
    return training


def list_trainings(caller: Caller) -> QuerySet[Prediction]:
    """All trainings of the caller's account."""
    return predictions.list_runs(caller).filter(kind=Prediction.Kind.TRAINING)


def get_training(caller: Caller, training_id: str) -> Prediction:
    """One of them. Raises NotFound, for predictions and other people's trainings too."""
    return predictions.one_of(list_trainings(caller), training_id)


@dataclass(frozen=True, slots=True)
class Result:
    """Where a training's version is to go, or went. version_id: "" until it is there."""

    model_name: str
    version_id: str = ""


def result_of(training: Prediction) -> Result | None:
    """For people to follow; None where the destination is gone."""
    reference = training.output.get("version", "") if isinstance(training.output, dict) else ""
    if reference:
        model_name, _, version_id = reference.partition(":")
        return Result(model_name, version_id)
    return Result(training.destination.full_name) if training.destination else None


# --- The result -----------------------------------------------------------------------------------------------------


def keep_result(training: Prediction, output: Any) -> dict[str, Any]:
    """The output as the training shows it, all but its version; files in it are stored already and never expire.

    `weights` is what the new version's set-up gets: the file that the model gave, alone or under that name; any other
    value is stored as a file (text, or JSON). Nothing given, no weights. What a model gave beside weights is kept.
    """
    given = output if isinstance(output, dict) else {"weights": output}
    kept = {name: value for name, value in given.items() if name not in ("version", "weights")}
    weights = given.get("weights", given)
    return kept if weights is None else {**kept, "weights": _address(training, weights)}


def _address(training: Prediction, weights: Any) -> str:
    if isinstance(weights, str) and weights.startswith(("http://", "https://")):
        return weights
    if isinstance(weights, str):
        content, content_type, name = weights.encode(errors="replace"), "text/plain", "weights.txt"
    else:
        content, content_type, name = orjson.dumps(weights), "application/json", "weights.json"
    file = files.store_output(training, ContentFile(content), content_type=content_type, filename=name)
    return files.output_url(file)


def succeed(outcome: Outcome) -> Prediction | None:
    """End a training with a success and make its version, in one transaction.

    outcome.output: as `keep_result` gives it. Returns the ended training, or None where it had ended before or the
    claim was another's: then there is no version either. It fails if its destination was deleted meanwhile.
    """
    with transaction.atomic():
        training = Prediction.objects.select_related("version__base").get(pk=outcome.prediction_id)
        destination = _lock_destination(training)
        if destination is None:
            return lifecycle.end_many([_without_destination(outcome)])[0]
        version_id = publishing.trained_version_id(training.pk)
        reference = f"{destination.full_name}:{version_id}"
        ended = lifecycle.end_many([replace(outcome, output={**outcome.output, "version": reference})])[0]
        if ended:
            publishing.accept_trained(
                training.pk,
                model=destination,
                trainer=training.version,
                weights=outcome.output.get("weights", ""),
                created_by_id=training.user_id,
            )
    return ended


def _lock_destination(training: Prediction) -> Model | None:
    if training.destination_id is None:
        return None
    models = Model.objects.select_for_update(of=["self"]).select_related("account")
    return models.filter(pk=training.destination_id, deleted_at=None).first()


def _without_destination(outcome: Outcome) -> Outcome:
    error = "The training's destination was deleted while it ran"
    return replace(outcome, status=Status.FAILED, output=None, error=error, fault_class=FaultClass.USER_INPUT)
