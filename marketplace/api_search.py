"""`GET /v1/search`: models, collections and pages of documentation for one query. Public things only.

Source: replicate-api.md 2.12, 1.8.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.documentation_index import find_pages
from marketplace.lib.problems import Problem
from models_catalog import curation
from models_catalog.models import Collection, Model
from models_catalog.search import search, search_collections, tidied
from models_catalog.serializers import collection_document, model_documents

MOST_MODELS = 50
_USUAL_MODELS = 20


class SearchParameterWrong(Problem):
    """The one endpoint whose wrong parameters are told without a title.  Source: replicate-api.md 1.8."""

    status = 400


class Search(APIView):
    """All that the words find."""

    def get(self, request: Request) -> Response:
        """Search."""
        query = tidied(request.query_params.get("query", ""))
        if not query:
            raise SearchParameterWrong('Query parameter "query" is required')
        limit = parse_limit(request.query_params)
        return Response(search_document(query, limit))


def parse_limit(query: Mapping[str, str]) -> int:
    """How many models at most. Raises SearchParameterWrong."""
    text = query.get("limit", str(_USUAL_MODELS)).strip()
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= MOST_MODELS):
        raise SearchParameterWrong(f'Query parameter "limit" must be an integer from 1 to {MOST_MODELS}')
    return int(text)


def search_document(query: str, limit: int) -> dict[str, Any]:
    """What is found. limit: of models alone."""
    collections = list(search_collections(query))
    return {
        "query": query,
        "models": _model_hits(list(search(query)[:limit])),
        "collections": _collection_hits(collections),
        "pages": [{"name": page.name, "href": page.href} for page in find_pages(query)],
    }


def _model_hits(models: Sequence[Model]) -> list[dict[str, Any]]:
    tags = curation.slugs_of_collections_of(models)
    return [
        {
            "model": document,
            "metadata": {
                "generated_description": None,  # nothing here writes descriptions
                "tags": tags.get(model.pk, []),
                "score": getattr(model, "relevance", None),
            },
        }
        for model, document in zip(models, model_documents(models), strict=True)
    ]


def _collection_hits(collections: Sequence[Collection]) -> list[dict[str, Any]]:
    names = curation.names_of_models_in(collections)
    return [{**collection_document(row), "models": names.get(row.pk, [])} for row in collections]
