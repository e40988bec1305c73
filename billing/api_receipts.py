"""The API of run receipts: of one run, all of the account as a stream, and the keys to check them by. Extensions."""

from collections.abc import AsyncIterator
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import aauthenticate, caller_of
from billing import receipt_keys, receipts
from billing.receipts import receipt_document
from marketplace.lib import dbthreads, query_parameters
from marketplace.lib.endpoints import json_answer

_AT_ONCE = 500
_MOST = 2**62


class RunReceiptDetail(APIView):
    """`GET /v1/predictions/{id}/receipt`: of a training too, by its id."""

    def get(self, request: Request, prediction_id: str) -> Response:
        """The run's receipt, and those of its corrections."""
        first, *corrections = receipts.receipts_of_run(caller_of(request).account_id, prediction_id)
        return Response({**receipt_document(first), "corrections": [receipt_document(one) for one in corrections]})


async def export_receipts(request: HttpRequest) -> StreamingHttpResponse:
    """`GET /v1/billing/receipts`: JSON lines in the order of the chain, those after position `after`."""
    caller = await aauthenticate(request)
    after = query_parameters.integer(request.GET.dict(), "after", default=0, minimum=0, maximum=_MOST)
    lines = _lines(caller.account_id, after)
    headers = {"Content-Disposition": 'attachment; filename="receipts.jsonl"'}
    return StreamingHttpResponse(lines, content_type="application/x-ndjson", headers=headers)


async def _lines(account_id: int, after: int) -> AsyncIterator[bytes]:
    while page := await dbthreads.run(receipts.receipts_after, account_id, after, _AT_ONCE):
        yield receipts.exported(page)
        after = page[-1].seq


async def list_receipt_keys(request: HttpRequest) -> HttpResponse:
    """`GET /v1/billing/receipt-keys`: needs no token, so that anybody can check a receipt."""
    keys: list[dict[str, Any]] = [
        {"id": key.id, "algorithm": "Ed25519", "public_key": key.text, "is_current": key.is_current}
        for key in receipt_keys.public_keys()
    ]
    return json_answer({"keys": keys})
