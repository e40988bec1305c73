"""The API of binding quotes. An extension of the wire contract."""

from collections.abc import Mapping
from typing import Any, cast

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import Caller
from accounts.authentication import caller_of
from billing.models import Quote
from marketplace.lib.problems import InputInvalid, InvalidField
from models_catalog import lookup
from runner import binding_quotes, creation_requests, quotes, version_references
from runner.binding_quotes import Wanted

_TARGETS = ("version", "model", "deployment")
_MEMBERS: Mapping[str, tuple[type, str]] = {
    **dict.fromkeys(_TARGETS, (str, "string")),
    "input": (dict, "object"),
}


class QuoteCreation(APIView):
    """`POST /v1/quotes`."""

    def post(self, request: Request) -> Response:
        """Promise what a run costs at most."""
        caller = caller_of(request)
        quote = binding_quotes.give(caller, _wanted(caller, cast("dict[str, Any]", request.data)))
        quote.refresh_from_db(fields=["created_at"])
        answer = _document(caller, quote)
        return Response(answer, 201, headers={"Location": answer["urls"]["get"]})


class Estimate(APIView):
    """`POST /v1/billing/estimate`."""

    def post(self, request: Request) -> Response:
        """What a run may be expected to take and cost, as a creation with `dry_run` is answered."""
        caller = caller_of(request)
        return Response(
            quotes.quote(binding_quotes.prepared(caller, _wanted(caller, cast("dict[str, Any]", request.data))))
        )


class QuoteDetail(APIView):
    """`GET /v1/quotes/{id}`."""

    def get(self, request: Request, quote_id: str) -> Response:
        """Read a quote."""
        caller = caller_of(request)
        return Response(_document(caller, binding_quotes.get_quote(caller, quote_id)))


def _wanted(caller: Caller, body: Mapping[str, Any]) -> Wanted:
    """Raises InputInvalid with all violations; what resolving a version, model or deployment raises."""
    problems = creation_requests.member_problems(body, _MEMBERS, ["input"])
    named = [name for name in _TARGETS if body.get(name) is not None]
    if len(named) != 1:
        problems.append(InvalidField("one_of", "", "One of version, model and deployment is required, and no other"))
    elif not problems and named[0] != "version" and str(body[named[0]]).count("/") != 1:
        problems.append(InvalidField("format", named[0], "Expected owner/name"))
    if problems:
        raise InputInvalid(problems)
    [kind] = named
    if kind == "deployment":
        owner, _, name = body[kind].partition("/")
        facts, target = version_references.resolve_deployment(caller, owner, name)
        return Wanted(facts, by_name=False, deployment=target, input=body["input"])
    facts, by_name = version_references.resolve(caller, body[kind])
    return Wanted(facts, by_name=by_name, deployment=None, input=body["input"])


def _document(caller: Caller, quote: Quote) -> dict[str, Any]:
    facts = lookup.find_facts(caller, quote.version_id)
    return binding_quotes.quote_document(quote, hides_version=facts is None or facts.is_official)
