"""The API of the catalog: models, versions, examples, collections.  Source: replicate-api.md 2.5, 2.6, 2.7."""

import datetime
from typing import Any, cast

import orjson
from django.db.models import DateTimeField, F, QuerySet, Value
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import caller_of
from marketplace.lib import query_parameters
from marketplace.lib.pagination import ModelPages, NewestFirst
from marketplace.lib.problems import NotFound
from models_catalog import curation, examples, lookup, publishing
from models_catalog.model_fields import parse_changes
from models_catalog.models import Model
from models_catalog.search import search
from models_catalog.serializers import (
    collection_document,
    collection_with_models,
    comparison_document,
    model_documents,
    version_document,
)

SEARCH_RESULTS = 25
_SORTS = {"latest_version_created_at": "newest_version_at", "model_created_at": "created_at"}
_AGES = datetime.timedelta(days=365_000)


def json_of(request: Request) -> dict[str, Any]:
    """The body, which the API's parser made an object."""
    return cast(dict[str, Any], request.data)


class RawParser(BaseParser):
    """The body as text, whatever its content type."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Decoded leniently."""
        return str(stream.read().decode(errors="replace"))


def search_text(body: str) -> str:
    """What a client wants searched: plain text, a JSON string, or an object with it.  Source: replicate-api.md 2.5."""
    text = body.strip()
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    if isinstance(value, dict):
        value = value.get("query", value.get("body"))
    return value if isinstance(value, str) else text


class ModelListBase(APIView):
    """Listing and searching need no knowledge of hardware; creating is added where that is known."""

    def get(self, request: Request) -> Response:
        """List public models."""
        query = request.query_params
        sort = query_parameters.choice(query, "sort_by", list(_SORTS), default="latest_version_created_at")
        direction = query_parameters.choice(query, "sort_direction", ["desc", "asc"], default="desc")
        sign = "-" if direction == "desc" else ""
        pages = ModelPages()
        pages.ordering = (f"{sign}{_SORTS[sort]}", f"{sign}pk")
        # Models without a version come last whichever way, each at a moment of its own: cursors need those.
        never = F("created_at") + Value(-_AGES if direction == "desc" else _AGES)
        newest = Coalesce("latest_version__created_at", never, output_field=DateTimeField())
        rows = lookup.visible_models(None).annotate(newest_version_at=newest)
        return pages.get_paginated_response(model_documents(pages.paginate_queryset(rows, request, view=self)))

    def query(self, request: Request) -> Response:
        """Search public models."""
        found = search(search_text(request.data if isinstance(request.data, str) else ""))[:SEARCH_RESULTS]
        return Response({"next": None, "previous": None, "results": model_documents(list(found))})

    def get_parsers(self) -> list[Any]:
        """A search is text, all else JSON."""
        is_search = self.request is not None and self.request.method == "QUERY"
        return [RawParser()] if is_search else super().get_parsers()

    http_method_names = [*APIView.http_method_names, "query"]  # noqa: RUF012 - as in the base class


class ModelDetail(APIView):
    """One model."""

    def get(self, request: Request, owner: str, name: str) -> Response:
        """Get a model."""
        return Response(model_documents([lookup.get_model(caller_of(request), owner, name)])[0])

    def patch(self, request: Request, owner: str, name: str) -> Response:
        """Change a model's texts and links."""
        model = publishing.get_own_model(caller_of(request), owner, name)
        return Response(
            model_documents([publishing.update_model(caller_of(request), model, parse_changes(json_of(request)))])[0]
        )


class ModelReadme(APIView):
    """A model's readme."""

    def get(self, request: Request, owner: str, name: str) -> HttpResponse:
        """Get a model's readme as Markdown."""
        model = lookup.get_model(caller_of(request), owner, name)
        if not model.readme:
            raise NotFound
        return HttpResponse(model.readme, content_type="text/plain; charset=utf-8")


class ExamplePages(NewestFirst):
    """The default example first, then the newest."""

    ordering = ("-shown_at", "-pk")


class ModelExamples(APIView):
    """A model's examples."""

    def get(self, request: Request, owner: str, name: str) -> Response:
        """List a model's examples."""
        pages = ExamplePages()
        rows = examples.list_examples(lookup.get_model(caller_of(request), owner, name))
        page = pages.paginate_queryset(rows, request, view=self)
        return pages.get_paginated_response([example.prediction for example in page])


class VersionList(APIView):
    """A model's versions."""

    def get(self, request: Request, owner: str, name: str) -> Response:
        """List a model's versions. Those of official models are not listed: a client would stop calling it by name."""
        model = _model(request, owner, name)
        if model.is_official:
            raise NotFound
        pages = NewestFirst()
        page = pages.paginate_queryset(lookup.list_versions(caller_of(request), model), request, view=self)
        return pages.get_paginated_response([version_document(version) for version in page])


class VersionDetail(APIView):
    """One version."""

    def get(self, request: Request, owner: str, name: str, version_id: str) -> Response:
        """Get a version."""
        model = _model(request, owner, name)
        return Response(version_document(lookup.get_version(caller_of(request), model, version_id)))


class VersionComparison(APIView):
    """Two versions of a model. An extension."""

    def get(self, request: Request, owner: str, name: str, version_id: str, other_id: str) -> Response:
        """Compare the schemas of two versions."""
        model = _model(request, owner, name)
        before, after = (lookup.get_version(caller_of(request), model, pk) for pk in (version_id, other_id))
        return Response(comparison_document(before, after))


class CollectionList(APIView):
    """Collections."""

    def get(self, request: Request) -> Response:
        """List collections, all on one page."""
        documents = [collection_document(collection) for collection in curation.list_collections()]
        return Response({"next": None, "previous": None, "results": documents})


class CollectionDetail(APIView):
    """One collection."""

    def get(self, request: Request, slug: str) -> Response:
        """Get a collection with its models."""
        collection = curation.get_collection(slug)
        models: QuerySet[Model] = curation.models_in(collection)
        return Response(collection_with_models(collection, list(models)))


def _model(request: Request, owner: str, name: str) -> Model:
    return lookup.get_model(caller_of(request), owner, name)
