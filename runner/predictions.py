"""Accept, find and cancel predictions: what callers do with them. What happens to them is `lifecycle`'s.

Source: replicate-api.md 2.3, 2.4, 3.4.
"""

import datetime
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q, QuerySet

from accounts.access import Caller
from billing import prices
from billing.classes import BillingClass, class_of_prediction
from billing.prices import Resolved
from marketplace.lib import wakeups
from marketplace.lib.ids import new_id, new_stream_token
from marketplace.lib.problems import InputInvalid, InvalidField, NotFound
from models_catalog import schemas
from models_catalog.lookup import VersionFacts
from runner import input_files, lifecycle, secret_inputs
from runner.deployment_targets import DeploymentTarget
from runner.lifecycle import Outcome
from runner.models import Prediction
from runner.states import TERMINAL, FaultClass, Status
from runner.storable import clean_json


@dataclass(frozen=True, slots=True)
class NewPrediction:
    """What a caller asks for, its shape already checked."""

    input: dict[str, Any]
    source: str = Prediction.Source.API
    by_name: bool = False  # an official model called by name: its version stays hidden
    deployment: DeploymentTarget | None = None  # that it was sent to
    webhook: str = ""
    webhook_events: list[str] | None = None
    is_webhook_legacy: bool = False
    deadline_seconds: int | None = None
    traceparent: str = ""
    tags: list[str] = field(default_factory=list)
    rerun_of: str = ""  # id of the prediction that it repeats
    is_dry_run: bool = False  # nobody will insert it: it needs no credit


def prepare(caller: Caller, facts: VersionFacts, new: NewPrediction, *, now: datetime.datetime) -> Prediction:
    """A row that may be inserted: input valid, secrets sealed, price pinned.

    Raises InputInvalid with every violation; PriceMissing. Whether it can be paid is seen when it is written.
    """
    shown, sealed_secrets = checked_input(caller, facts, new.input)
    is_streamed = schemas.is_iterator(facts.schema)
    cost = price_of(caller, facts, new.input)
    billing_class = class_of_prediction(
        is_training=False,
        is_public=facts.is_public,
        has_deployment=new.deployment is not None,
        is_by_units=cost.is_by_units,
    )
    return Prediction(
        id=new_id(),
        account_id=caller.account_id,
        user_id=caller.user_id,
        token_id=caller.token_id,
        model_id=facts.model_id,
        version_id=facts.version_id,
        model_name=facts.model_name,
        version_label="hidden" if new.by_name else facts.version_id,
        hardware=facts.hardware,
        price=cost.time,
        billing_class=billing_class,
        unit_price_ids=[price.pk for price in cost.units] if billing_class == BillingClass.UNIT else [],
        source=new.source,
        tags=new.tags,
        rerun_of=new.rerun_of,
        deployment_id=new.deployment.deployment_id if new.deployment else None,
        deployment_name=new.deployment.full_name if new.deployment else "",
        input=shown,
        sealed_secrets=sealed_secrets,
        output=[] if is_streamed else None,
        created_at=now,
        deadline=None if new.deadline_seconds is None else now + datetime.timedelta(seconds=new.deadline_seconds),
        is_streamed=is_streamed,
        streams_files=schemas.is_file_iterator(facts.schema),
        stream_token=new_stream_token() if is_streamed else None,
        webhook=new.webhook,
        webhook_events=new.webhook_events,
        is_webhook_legacy=new.is_webhook_legacy,
        traceparent=new.traceparent,
    )


def price_of(caller: Caller, facts: VersionFacts, value: dict[str, Any]) -> Resolved:
    """What a run with this input costs who makes it now. Raises PriceMissing."""
    book = prices.current_book()
    has_own = book.has_own_prices(facts.model_name)
    properties = schemas.with_defaults(facts.schema, value) if has_own else {}
    return book.resolve(facts.model_name, facts.hardware, caller.account_id, properties)


def checked_input(
    caller: Caller, facts: VersionFacts, value: dict[str, Any], component: str = "Input"
) -> tuple[dict[str, Any], bytes | None]:
    """An input as rows keep it, and its secret members sealed. Raises InputInvalid with every violation."""
    wrong = schemas.validator_for(facts.version_id, facts.schema, component).problems(value)
    invalid = [InvalidField(one.type, one.field, one.description) for one in wrong]
    if invalid := invalid or input_files.unreadable_inputs(caller, value):
        raise InputInvalid(invalid)
    shown = schemas.redact(facts.schema, value, component)
    secrets = {name: item for name, item in value.items() if shown[name] != item}
    return clean_json(shown), secret_inputs.seal(secrets)


def create(caller: Caller, facts: VersionFacts, new: NewPrediction) -> Prediction:
    """Accept one prediction and wake the runners. Raises as `prepare`, and MayNotSpend."""
    prediction = lifecycle.insert_all([prepare(caller, facts, new, now=datetime.datetime.now(datetime.UTC))])[0]
    wakeups.send_after_commit(wakeups.RUNNERS, {"type": "work"})
    return prediction


def list_runs(caller: Caller) -> QuerySet[Prediction]:
    """All that the caller's account ran: predictions and trainings, API's and web's alike."""
    return Prediction.objects.filter(account_id=caller.account_id)


def list_predictions(caller: Caller) -> QuerySet[Prediction]:
    """The predictions among them."""
    return list_runs(caller).filter(kind=Prediction.Kind.PREDICTION)


def get_run(caller: Caller, run_id: str) -> Prediction:
    """A prediction or training of the caller's account. Raises NotFound, for other people's too."""
    return one_of(list_runs(caller), run_id)


def get_prediction(caller: Caller, prediction_id: str) -> Prediction:
    """A prediction of the caller's account. Raises NotFound, for other people's too."""
    return one_of(list_predictions(caller), prediction_id)


def one_of(runs: QuerySet[Prediction], run_id: str) -> Prediction:
    """The one with that id. Raises NotFound."""
    run = runs.filter(pk=run_id).first()
    if run is None:
        raise NotFound()
    return run


def request_cancel(runs: QuerySet[Prediction], run_id: str) -> Prediction:
    """The one of them to be canceled; the wish is logged unless it has ended. Raises NotFound."""
    run = one_of(runs, run_id)
    if not run.is_terminal:
        lifecycle.note_cancel_request(run.pk)
    return run


def end_canceled(
    prediction_id: str,
    *,
    error: str | None = None,
    cause: str | None = None,
    fault_class: str = FaultClass.USER_CANCEL,
) -> Prediction | None:
    """End it as canceled now, with the progress its row has; None if it had ended. The runner stops the model.

    Charged until now if it was running. error, cause: why, where it was not somebody's wish, for its owner and for the
    event log.  Source: replicate-api.md 2.4; billing.md 4.3.
    """
    outcome = Outcome(
        prediction_id,
        None,
        Status.CANCELED,
        error=error,
        fault_class=fault_class,
        keep_output=True,
        cause=cause,
    )
    ended = lifecycle.end_many([outcome])[0]
    wakeups.send_after_commit(wakeups.RUNNERS, {"type": "cancel", "id": prediction_id})
    return ended


def cancel_all_of_model(model_id: int) -> int:
    """Cancel all that is queued or running with the code of a model that was taken down, free of charge.

    Returns how many.
    """
    runs_its_code = Q(model_id=model_id) | Q(version__base__model_id=model_id)
    unfinished = Prediction.objects.filter(runs_its_code).exclude(status__in=TERMINAL)
    outcomes = [
        Outcome(
            prediction_id,
            None,
            Status.CANCELED,
            fault_class=FaultClass.POLICY,
            keep_output=True,
            cause="the model was taken down",
        )
        for prediction_id in unfinished.values_list("pk", flat=True)
    ]
    ended = [row for row in lifecycle.end_many(outcomes) if row] if outcomes else []
    for row in ended:
        wakeups.send_after_commit(wakeups.RUNNERS, {"type": "cancel", "id": row.pk})
    return len(ended)


def cancel_all_of_version(version_id: str) -> int:
    """Cancel all that is queued or running of a version that its owner deleted; returns how many."""
    return _cancel_all(Prediction.objects.filter(version_id=version_id))


def cancel_all_of(account_id: int) -> int:
    """Cancel all that a suspended account has queued or running, free of charge; returns how many."""
    return _cancel_all(Prediction.objects.filter(account_id=account_id), FaultClass.POLICY)


def _cancel_all(rows: QuerySet[Prediction], fault_class: str = FaultClass.USER_CANCEL) -> int:
    ids = list(rows.exclude(status__in=TERMINAL).values_list("pk", flat=True))
    return sum(end_canceled(prediction_id, fault_class=fault_class) is not None for prediction_id in ids)
