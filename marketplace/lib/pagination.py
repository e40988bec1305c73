"""Cursor pagination of the API: page objects whose links carry the public origin.  Source: replicate-api.md 1.7."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DataError
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response

from marketplace.lib.problems import NotFound


class NewestFirst(CursorPagination):
    """100 rows a page, newest first, stable under insertions."""

    page_size = 100
    ordering: Any = ("-created_at", "-pk")
    cursor_query_param = "cursor"

    def decode_cursor(self, request: Any) -> Any:
        from rest_framework.exceptions import NotFound as BadCursor

        try:
            return super().decode_cursor(request)
        except BadCursor as error:
            raise NotFound("Invalid cursor") from error

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> Any:
        """One page; its links carry the public origin, whatever host the request named."""
        try:
            page: Any = super().paginate_queryset(queryset, request, view)
        except (ValidationError, ValueError, DataError) as error:  # a cursor that somebody made up
            raise NotFound("Invalid cursor") from error
        self.base_url = settings.PUBLIC_URL + request.get_full_path()
        return page

    def get_paginated_response(self, data: Sequence[Any]) -> Response:
        return Response(
            OrderedDict(next=self.get_next_link(), previous=self.get_previous_link(), results=list(data)),
        )


class ModelPages(NewestFirst):
    """25 models a page."""

    page_size = 25
