"""`GET /v1/predictions`: all of the account, newest first.  Source: replicate-api.md 2.4."""

import datetime

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import caller_of
from marketplace.lib.pagination import NewestFirst
from runner import prediction_filters, predictions
from runner.billed_documents import billed_documents


class PredictionList(APIView):
    """Pages of 100."""

    def get(self, request: Request) -> Response:
        """List predictions."""
        mine = predictions.list_predictions(caller_of(request)).defer("sealed_secrets")
        rows = prediction_filters.narrowed(mine, request.query_params, now=datetime.datetime.now(datetime.UTC))
        pages = NewestFirst()
        page = pages.paginate_queryset(rows, request, view=self) or []
        return pages.get_paginated_response(billed_documents(page))
