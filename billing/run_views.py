"""What an account does about one run's bill: keeps its signed receipt."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from billing import receipts
from billing.page_contexts import page_caller


@never_cache
@login_required
@require_safe
def receipt(request: HttpRequest, prediction_id: str) -> HttpResponse:
    """The signed receipt and those of its corrections, as the API has them."""
    first, *corrections = receipts.receipts_of_run(page_caller(request).account_id, prediction_id)
    document = {
        **receipts.receipt_document(first),
        "corrections": [receipts.receipt_document(one) for one in corrections],
    }
    answer = JsonResponse(document, json_dumps_params={"indent": 2})
    answer.headers["Content-Disposition"] = f'attachment; filename="receipt-{prediction_id}.json"'
    return answer
