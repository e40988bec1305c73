"""The API of trainings: create, list, read, cancel.  Source: replicate-api.md 2.10."""

from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import aauthenticate, caller_of
from marketplace.lib.endpoints import json_answer
from marketplace.lib.pagination import NewestFirst
from runner import api_predictions, creation_requests, trainings
from runner.billed_documents import billed_document, billed_documents
from runner.documents import created_document, prediction_urls, training_document


class TrainingCreation(APIView):
    """`POST /v1/models/{owner}/{name}/versions/{version_id}/trainings`."""

    def post(self, request: Request, owner: str, name: str, version_id: str) -> Response:
        """Start to train. The path's version is judged first, then the destination, then the rest."""
        caller, body = caller_of(request), cast(dict[str, Any], request.data)
        trainer = trainings.find_trainer(caller, owner, name, version_id, body.get("destination"))
        asked = creation_requests.parse_training_body(body)
        training = trainings.create(caller, trainer, asked, traceparent=request.headers.get("traceparent", "")[:55])
        return Response(created_document(training), 201, headers={"Location": prediction_urls(training)["get"]})


class TrainingList(APIView):
    """`GET /v1/trainings`: pages of 100."""

    def get(self, request: Request) -> Response:
        """List the account's trainings, newest first."""
        pages = NewestFirst()
        rows = trainings.list_trainings(caller_of(request)).defer("sealed_secrets")
        page = pages.paginate_queryset(rows, request, view=self) or []
        return pages.get_paginated_response(billed_documents(page))


class TrainingDetail(APIView):
    """`GET /v1/trainings/{id}`."""

    def get(self, request: Request, training_id: str) -> Response:
        """Read a training."""
        return Response(billed_document(trainings.get_training(caller_of(request), training_id)))


async def cancel_training(request: HttpRequest, training_id: str) -> HttpResponse:
    """`POST /v1/trainings/{id}/cancel`: answers with the training ended, whichever way it ended first."""
    runs = trainings.list_trainings(await aauthenticate(request))
    return json_answer(training_document(await api_predictions.cancel(runs, training_id)))
