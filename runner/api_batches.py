"""The API of batches: create, list, read, cancel, and their predictions. An extension of the wire contract."""

import datetime
from typing import Any, cast

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import caller_of
from marketplace.lib.pagination import NewestFirst
from runner import batches, version_references
from runner.batch_documents import documents_of
from runner.billed_documents import billed_documents
from runner.models import Batch


class InOrder(NewestFirst):
    """100 predictions a page, in the order of the batch's inputs."""

    ordering: Any = ("batch_index", "pk")


def _answer(batch: Batch, status: int = 200) -> Response:
    [document] = documents_of([batch])
    headers = {"Location": document["urls"]["get"]} if status == 201 else {}
    return Response(document, status=status, headers=headers)


class BatchList(APIView):
    """All of the account, newest first."""

    def get(self, request: Request) -> Response:
        """List batches."""
        pages = NewestFirst()
        page = pages.paginate_queryset(batches.list_batches(caller_of(request)), request, view=self) or []
        return pages.get_paginated_response(documents_of(page))

    def post(self, request: Request) -> Response:
        """Make one prediction of each input."""
        caller = caller_of(request)
        new = batches.parse_body(cast("dict[str, Any]", request.data))
        facts, by_name = version_references.resolve(caller, new.version)
        now = datetime.datetime.now(datetime.UTC)
        if new.is_dry_run:
            return Response(batches.quote(caller, facts, new, by_name=by_name, now=now))
        return _answer(batches.create(caller, facts, new, by_name=by_name, now=now), 201)


class BatchDetail(APIView):
    """One batch."""

    def get(self, request: Request, batch_id: str) -> Response:
        """How far it is."""
        return _answer(batches.get_batch(caller_of(request), batch_id))


class BatchCancel(APIView):
    """Stops a batch."""

    def post(self, request: Request, batch_id: str) -> Response:
        """End all of it that has not ended."""
        return _answer(batches.cancel(caller_of(request), batch_id))


class BatchPredictions(APIView):
    """The predictions of a batch."""

    def get(self, request: Request, batch_id: str) -> Response:
        """In the order of the inputs."""
        rows = batches.predictions_of(batches.get_batch(caller_of(request), batch_id)).defer("sealed_secrets")
        pages = InOrder()
        page = pages.paginate_queryset(rows, request, view=self) or []
        return pages.get_paginated_response(billed_documents(page))
