"""`GET /v1/predictions`: all of the account, newest first.  Source: replicate-api.md 2.4."""

import datetime

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import caller_of
from marketplace.lib import query_parameters
from marketplace.lib.pagination import NewestFirst
from runner import predictions
from runner.documents import prediction_document
from runner.models import Prediction

_WEB_DAYS = 14


class PredictionList(APIView):
    """Pages of 100."""

    def get(self, request: Request) -> Response:
        """List predictions."""
        query = request.query_params
        rows = predictions.list_predictions(caller_of(request)).defer("sealed_secrets")
        if after := query_parameters.moment(query, "created_after"):
            rows = rows.filter(created_at__gte=after)
        if before := query_parameters.moment(query, "created_before"):
            rows = rows.filter(created_at__lt=before)
        if query_parameters.choice(query, "source", ["web"], default=""):
            oldest = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=_WEB_DAYS)
            rows = rows.filter(source=Prediction.Source.WEB, created_at__gte=oldest)
        pages = NewestFirst()
        page = pages.paginate_queryset(rows, request, view=self) or []
        return pages.get_paginated_response([prediction_document(row) for row in page])
