"""The API of appeals against a run's verdict. An extension."""

from typing import Any, cast

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import caller_of
from billing import appeals
from billing.appeals import appeal_document
from marketplace.lib.problems import FieldError, NotFound, ValidationFailed


class Appeal(APIView):
    """`/v1/predictions/{id}/appeal`: of a training too, by its id."""

    def get(self, request: Request, prediction_id: str) -> Response:
        """The run's appeal."""
        found = appeals.find_appeal(caller_of(request), prediction_id)
        if found is None:
            raise NotFound
        return Response(appeal_document(found))

    def post(self, request: Request, prediction_id: str) -> Response:
        """Appeal against the run's verdict."""
        note = cast("dict[str, Any]", request.data).get("note")
        if not isinstance(note, str):
            raise ValidationFailed([FieldError("/note", "Must be a text.")])
        created = appeals.create(caller_of(request), prediction_id, note)
        created.refresh_from_db(fields=["created_at"])
        return Response(appeal_document(created), status=201)
