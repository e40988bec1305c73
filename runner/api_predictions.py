"""The API of predictions: create (and wait), cancel. The hot path is async views on the verbs.

Creating: the row is written by group commit, runners are woken, and who asked to wait has joined the prediction's
group before that, so that its end can't be missed.  Source: replicate-api.md 2.3, 2.4, 3.5.
"""

import asyncio
import contextlib
import datetime
import time
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import redis
import structlog
from django.core.exceptions import SynchronousOnlyOperation
from django.db import IntegrityError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts import idempotency
from accounts.access import Caller
from accounts.authentication import aauthenticate
from accounts.idempotency import Key
from marketplace.lib import dbthreads, wakeups
from marketplace.lib.api_errors import parse_object
from marketplace.lib.endpoints import json_answer
from marketplace.lib.problems import NotFound, Problem
from models_catalog.lookup import VersionFacts
from runner import (
    binding_quotes,
    creation_requests,
    lifecycle,
    predictions,
    quotes,
    repeated_creations,
    streams,
    version_references,
)
from runner.creation_requests import CreationBody, Hold
from runner.deployment_targets import DeploymentTarget
from runner.documents import created_document, ended_document, prediction_document, prediction_urls
from runner.groupcommit import GroupCommit
from runner.models import Prediction
from runner.predictions import NewPrediction
from runner.repeated_creations import AlreadyMade
from runner.states import Status
from runner.streams import Ended

log = structlog.get_logger(__name__)

Resolved = tuple[VersionFacts, bool, DeploymentTarget | None]
_CANCEL_SECONDS = 1.5  # how long the runner has to end it with all its progress
_writers: WeakKeyDictionary[asyncio.AbstractEventLoop, GroupCommit[Prediction, Prediction | Problem]] = (
    WeakKeyDictionary()
)


async def create_prediction(request: HttpRequest) -> HttpResponse:
    """`POST /v1/predictions`: the version is named in the body."""
    arrived = time.monotonic()
    caller = await aauthenticate(request)
    body = _body(request, needs_version=True)
    return await answer_creation(
        request, caller, body, arrived, lambda: (*version_references.resolve(caller, body.version), None)
    )


async def create_official_prediction(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """`POST /v1/models/{owner}/{name}/predictions`: an official model's current version."""
    arrived = time.monotonic()
    caller = await aauthenticate(request)
    body = _body(request, needs_version=False)
    return await answer_creation(
        request, caller, body, arrived, lambda: (version_references.resolve_official(caller, owner, name), True, None)
    )


async def create_deployment_prediction(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """`POST /v1/deployments/{owner}/{name}/predictions`: what the deployment's serving release runs."""
    arrived = time.monotonic()
    caller = await aauthenticate(request)
    body = _body(request, needs_version=False)

    def resolve() -> tuple[VersionFacts, bool, DeploymentTarget]:
        facts, target = version_references.resolve_deployment(caller, owner, name)
        return facts, False, target

    try:
        return await answer_creation(request, caller, body, arrived, resolve)
    except IntegrityError as error:  # deleted since it was looked up
        raise NotFound from error


def _body(request: HttpRequest, *, needs_version: bool) -> CreationBody:
    return creation_requests.parse_body(parse_object(request.body), needs_version=needs_version)


async def answer_creation(
    request: HttpRequest,
    caller: Caller,
    body: CreationBody,
    arrived: float,
    resolve: Callable[[], Resolved],
    *,
    rerun_of: str = "",
) -> HttpResponse:
    """Check in the order of replicate-api.md 2.3, write, answer now or at the end.

    arrived: when the request did, of time.monotonic(). resolve: what to run, whether it was called by its official
    model's name, and the deployment it was called by.
    """
    headers = request.headers
    hold: Hold | None = None
    key = idempotency.key_of(request, caller)
    if key and (made := await dbthreads.run(repeated_creations.find_made, key)):
        return await _answer_again(request, made, arrived)

    def accept() -> Prediction:
        nonlocal hold
        facts, by_name, deployment = resolve()
        deadline = creation_requests.parse_cancel_after(headers.get("Cancel-After"))
        hold = creation_requests.preferred_hold(headers.get("Prefer", ""), headers.get("x-stainless-read-timeout", ""))
        new = NewPrediction(
            input=body.input,
            by_name=by_name,
            deployment=deployment,
            webhook=body.webhook,
            webhook_events=body.webhook_events,
            is_webhook_legacy=body.is_webhook_legacy,
            deadline_seconds=deadline,
            traceparent=headers.get("traceparent", "")[:55],
            tags=body.tags,
            rerun_of=rerun_of,
            is_dry_run=body.is_dry_run,
        )
        with creation_requests.answered_with(hold):
            run = predictions.prepare(caller, facts, new, now=datetime.datetime.now(datetime.UTC))
            if body.quote:
                binding_quotes.bind(caller, body.quote, run, body.input)
            return run

    try:
        # Most often all that it needs is remembered from seconds ago: a switch of threads would cost more than this.
        prediction = accept()
    except SynchronousOnlyOperation:
        prediction = await dbthreads.run(accept)
    if body.is_dry_run:
        return json_answer(await dbthreads.run(quotes.quote, prediction))
    try:
        with creation_requests.answered_with(hold):
            if hold is None:
                await _insert(prediction, key, body.quote)
                return _answer(created_document(prediction), prediction, 201)
            document = await _insert_and_wait(prediction, arrived + hold.seconds, key, body.quote)
    except AlreadyMade as quicker:
        return await _answer_again(request, quicker.prediction, arrived)
    if document is None:
        return _answer(created_document(prediction), prediction, 202, hold)
    return _answer(document, prediction, 201, hold)


async def _answer_again(request: HttpRequest, made: Prediction, arrived: float) -> HttpResponse:
    """The answer to a creation whose `Idempotency-Key` has made a prediction: as at first, and waiting as asked now."""
    headers = request.headers
    hold = creation_requests.preferred_hold(headers.get("Prefer", ""), headers.get("x-stainless-read-timeout", ""))
    if hold and not made.is_terminal:
        # Its end is looked for in the row: TimeoutError is among what may be given up here.
        with contextlib.suppress(redis.RedisError, OSError):
            async with asyncio.timeout(arrived + hold.seconds - time.monotonic()):
                async for _ in streams.follow(made.pk):
                    pass
        made = await dbthreads.run(Prediction.objects.get, pk=made.pk)
    is_ended = hold is not None and made.is_terminal
    document = prediction_document(made) if is_ended else created_document(made)
    answer = _answer(document, made, 202 if hold and not is_ended else 201, hold)
    for name, value in idempotency.REPLAYED.items():
        answer.headers[name] = value
    return answer


def _answer(document: dict[str, Any], prediction: Prediction, status: int, hold: Hold | None = None) -> HttpResponse:
    headers = {"Location": prediction_urls(prediction)["get"]}
    if hold:
        headers["Preference-Applied"] = hold.applied
    return json_answer(document, status, headers)


async def _insert(prediction: Prediction, key: Key | None, quote: str) -> None:
    """Write the row together with what others write at this moment, then wake the runners.

    With a key or a quote they have a transaction of their own. Raises AlreadyMade, Conflict, MayNotSpend.
    """
    loop = asyncio.get_running_loop()
    writer = _writers.get(loop)
    if writer is None:
        writer = _writers[loop] = GroupCommit(lifecycle.insert_many)
    if key is not None:
        await dbthreads.run(repeated_creations.insert_once, key, prediction, quote)
    elif quote:
        await dbthreads.run(binding_quotes.insert_once, quote, prediction)
    else:
        written = await writer.add(prediction)
        if isinstance(written, Problem):
            raise written
    await wakeups.send(wakeups.RUNNERS, {"type": "work"})


async def _insert_and_wait(prediction: Prediction, until: float, key: Key | None, quote: str) -> dict[str, Any] | None:
    """Write the row and wait for the prediction's end; None when the time is over (a moment of `time.monotonic`).

    Once the row is there nothing may fail: a client that saw an error would create it again.  Source: 7.2.
    """
    inserted = False
    try:
        async with streams.Watch(prediction.pk) as watch:
            await _insert(prediction, key, quote)
            inserted = True
            ended = await streams.wait_ended(watch, until - time.monotonic())
            return None if ended is None else await _final_document(prediction, ended)
    except (redis.RedisError, OSError) as error:
        log.warning("wait_given_up", prediction_id=prediction.pk, error=str(error))
        if not inserted:
            await _insert(prediction, key, quote)
        return None


async def _final_document(prediction: Prediction, ended: Ended) -> dict[str, Any]:
    """The prediction as it ended: from its events where all were seen, else from the row."""
    return ended_document(prediction, ended) or prediction_document(
        await dbthreads.run(Prediction.objects.get, pk=prediction.pk)
    )


async def cancel_prediction(request: HttpRequest, prediction_id: str) -> HttpResponse:
    """`POST /v1/predictions/{id}/cancel`: answers with the prediction ended, whichever way it ended first."""
    runs = predictions.list_predictions(await aauthenticate(request))
    return json_answer(prediction_document(await cancel(runs, prediction_id)))


async def cancel(runs: QuerySet[Prediction], run_id: str) -> Prediction:
    """End one of them with all the progress that the runner has; one that has ended stays as it is. Raises NotFound."""
    run = await dbthreads.run(predictions.request_cancel, runs, run_id)
    if not run.is_terminal:
        if not (run.status == Status.PROCESSING and await _stopped_by_runner(run_id)):
            await cancel_now(run_id)
        run = await dbthreads.run(predictions.one_of, runs, run_id)
    return run


async def _stopped_by_runner(prediction_id: str) -> bool:
    """Ask the runner to end it: it has output and logs that the row lacks. False if it did not in time."""
    try:
        async with streams.Watch(prediction_id) as watch:
            await wakeups.send(wakeups.RUNNERS, {"type": "cancel", "id": prediction_id})
            return await streams.wait_ended(watch, _CANCEL_SECONDS) is not None
    except (redis.RedisError, OSError) as error:
        log.warning("cancel_not_awaited", prediction_id=prediction_id, error=str(error))
        return False


async def cancel_now(prediction_id: str) -> None:
    """End it as canceled with what its row has, and tell who watches."""
    ended = await dbthreads.run(predictions.end_canceled, prediction_id)
    if ended is not None:
        try:
            await streams.publish(prediction_id, [streams.last_event(ended)])
        except (redis.RedisError, OSError) as error:  # watchers look for themselves after a while
            log.warning("end_not_published", prediction_id=prediction_id, error=str(error))
