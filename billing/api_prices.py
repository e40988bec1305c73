"""The API of prices and of the rules of charging: open to everybody. Extensions."""

from django.http import HttpRequest, HttpResponse

from billing.price_documents import price_list_document, rules_document
from billing.prices import current_book
from marketplace.lib import dbthreads
from marketplace.lib.endpoints import json_answer


async def list_prices(request: HttpRequest) -> HttpResponse:
    """`GET /v1/prices`: what is in force now, for everybody."""
    book = await dbthreads.run(current_book)
    return json_answer(price_list_document(book))


async def list_rules(request: HttpRequest) -> HttpResponse:
    """`GET /v1/billing/rules`: which end of a run is charged how."""
    return json_answer(rules_document())
