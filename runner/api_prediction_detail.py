"""The API of one prediction: read it, change its tags, run it again.  Source: replicate-api.md 2.4.

Tags and running again are extensions of the wire contract, and so is what reading tells of a prediction that waits.
"""

import time
from typing import Any

from django.http import HttpRequest, HttpResponse

from accounts.access import Caller
from accounts.authentication import aauthenticate
from marketplace.lib import dbthreads
from marketplace.lib.api_errors import parse_object
from marketplace.lib.endpoints import json_answer
from runner import creation_requests, predictions, reruns, tags, version_references, waiting
from runner.api_predictions import Resolved, answer_creation
from runner.billed_documents import billed_document
from runner.documents import prediction_document
from runner.models import Prediction


async def read_prediction(request: HttpRequest, prediction_id: str) -> HttpResponse:
    """`GET /v1/predictions/{id}`."""
    caller = await aauthenticate(request)
    return json_answer(await dbthreads.run(_read, caller, prediction_id))


def _read(caller: Caller, prediction_id: str) -> dict[str, Any]:
    prediction = predictions.get_prediction(caller, prediction_id)
    document = billed_document(prediction)
    if place := waiting.queue_document(prediction):
        document["queue"] = place
    return document


async def change_prediction(request: HttpRequest, prediction_id: str) -> HttpResponse:
    """`PATCH /v1/predictions/{id}`: its tags."""
    caller = await aauthenticate(request)
    wanted = tags.parse_change(parse_object(request.body))

    def change() -> Prediction:
        prediction = predictions.get_prediction(caller, prediction_id)
        return prediction if wanted is None else tags.set_tags(prediction, wanted)

    return json_answer(prediction_document(await dbthreads.run(change)))


async def rerun_prediction(request: HttpRequest, prediction_id: str) -> HttpResponse:
    """`POST /v1/predictions/{id}/rerun`: the same again, with changes to its input. Waits as creations do."""
    arrived = time.monotonic()
    caller = await aauthenticate(request)
    asked = creation_requests.parse_rerun_body(parse_object(request.body))
    original, body = await dbthreads.run(reruns.repeated, caller, prediction_id, asked)

    def resolve() -> Resolved:
        if asked.version:
            return (*version_references.resolve(caller, asked.version), None)
        return reruns.resolve_again(caller, original)

    return await answer_creation(request, caller, body, arrived, resolve, rerun_of=original.pk)
