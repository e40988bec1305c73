"""Errors of pages: a `Problem` that a verb raises becomes a page, or a document where a script asked.

The API has its own middleware, `marketplace.lib.api_errors`. Source: product-ux.md 0.2, 18.
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.deprecation import MiddlewareMixin

from marketplace.lib.problems import NotFound, Problem, Unauthenticated, problem_response

_JSON_PREFIX = "/web/"
_TEMPLATES = {403: "403.html", 404: "404.html"}


class ProblemPages(MiddlewareMixin):
    """Answers for views that let a Problem through, and for addresses that no row can have."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        """The database takes no NUL characters: what asks for one asks for nothing that exists."""
        if "\x00" not in request.path and "%00" not in request.META.get("QUERY_STRING", ""):
            return None
        return self.process_exception(request, NotFound())

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """A page with what went wrong; None leaves other errors to Django."""
        if not isinstance(error, Problem):
            return None
        if request.path.startswith(_JSON_PREFIX) and "text/html" not in request.headers.get("Accept", ""):
            return problem_response(error)
        if isinstance(error, Unauthenticated):
            return redirect("account_login")
        template = _TEMPLATES.get(error.status, "problem.html")
        response = render(request, template, {"problem": error}, status=error.status)
        response.headers["Cache-Control"] = "no-store"
        return response
