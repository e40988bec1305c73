"""Predictions as the verbs make them, brought to any state by the moves that lead there."""

import datetime
from typing import Any

from django.utils import timezone

from models_catalog.models import Model, Version
from runner import lifecycle, predictions, trainings
from runner.creation_requests import parse_training_body
from runner.lifecycle import Outcome
from runner.models import Host, Instance, Prediction
from runner.pools import Pool
from runner.predictions import NewPrediction
from runner.states import FaultClass, Status
from tests.accounts.factories import caller_of


def make_prediction(version: Version, **asked: Any) -> Prediction:
    """A queued prediction of the version's owner. asked: members of NewPrediction."""
    from models_catalog import lookup

    caller = caller_of(version.model.account)
    facts = lookup.find_facts(caller, version.pk)
    assert facts is not None
    new = NewPrediction(input=asked.pop("input", {"text": "hi"}), **asked)
    return lifecycle.insert_all([predictions.prepare(caller, facts, new, now=datetime.datetime.now(datetime.UTC))])[0]


def make_training(version: Version, destination: Model, **asked: Any) -> Prediction:
    """A queued training of the destination's owner. asked: members of the request's body."""
    caller = caller_of(destination.account)
    owner, _, name = version.model.full_name.partition("/")
    trainer = trainings.find_trainer(caller, owner, name, version.pk, destination.full_name)
    body = parse_training_body({"input": {"text": "data:text/plain,hi"}, **asked})
    return trainings.create(caller, trainer, body)


def start(prediction: Prediction, *, ago_us: int = 0) -> str:
    """Claim it as a runner would; returns the claim. (No instance: the column is a weak reference.)"""
    claim = lifecycle.new_claim(prediction.pk, "")
    started_at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(microseconds=ago_us)
    Prediction.objects.filter(pk=prediction.pk).update(
        status=Status.PROCESSING, started_at=started_at, claim=claim.token, tries=1
    )
    return claim.token


def end(prediction: Prediction, status: str = Status.SUCCEEDED, **outcome: Any) -> Prediction:
    """Start it and end it, having run as long as it tells."""
    claim = start(prediction, ago_us=outcome.get("predict_us") or 0)
    if status == Status.FAILED:
        outcome = {"error": "out of paper", "fault_class": FaultClass.MODEL_ERROR, **outcome}
    ended = lifecycle.end_many([Outcome(prediction.pk, claim, status, **outcome)])[0]
    assert ended is not None
    return ended


def make_instance(pool: Pool, *, host: str = "local", **columns: Any) -> Instance:
    """A row of an instance of the pool."""
    found, _ = Host.objects.get_or_create(
        name=host,
        defaults={"backend": "process", "cpu_millis": 4000, "memory_bytes": 2**34, "last_seen_at": timezone.now()},
    )
    return Instance.objects.create(
        host=found,
        version_id=pool.version_id,
        hardware_id=pool.hardware,
        deployment_id=pool.deployment_id,
        is_training=pool.is_training,
        **columns,
    )
