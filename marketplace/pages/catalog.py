"""Pages that find models: home, explore, search, collections and profiles. They read; nothing here changes anything."""

import datetime
from typing import Any

from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts import lookup as account_lookup
from accounts.authentication import session_caller
from billing import prices
from marketplace import seeding
from marketplace.pages import showcase
from marketplace.pages.paging import SORTS, page_of_models
from models_catalog import curation, lookup
from models_catalog.search import normalized
from models_catalog.search import search as find_models

ROW_SIZE = 4
_MOST_RESULTS = 48


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What this place is, one model at work, and ways into the catalog; how far seeding is, on a new instance."""
    models = lookup.public_models()
    context = {
        "popular": page_of_models(models, sort="popular", size=ROW_SIZE).models,
        "newest": page_of_models(models, sort="newest", size=ROW_SIZE).models,
        "collections": curation.list_collections(),
        "showcase": showcase.of(curation.find_showcase()),
        "numbers": _numbers(),
        "seeding": seeding.progress(),
    }
    return render(request, "marketplace/home.html", context)


def _numbers() -> dict[str, Any]:
    """Three facts about this instance as it is now."""
    models = lookup.public_models()
    return {
        "models": models.count(),
        "runs": models.aggregate(runs=Sum("run_count"))["runs"] or 0,
        "lowest_rate": prices.lowest_rate(datetime.datetime.now(datetime.UTC)),
    }


@require_safe
def explore(request: HttpRequest) -> HttpResponse:
    """All public models, a page at a time."""
    sort = request.GET.get("sort", "")
    sort = sort if sort in SORTS else "popular"
    page = page_of_models(lookup.public_models(), sort=sort, cursor=request.GET.get("cursor", ""))
    context = {
        "page": page,
        "sort": sort,
        "sorts": SORTS,
        "is_first": "cursor" not in request.GET,
        "total": lookup.public_models().count(),
        "collections": curation.list_collections(),
    }
    return render(request, "marketplace/explore.html", context)


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Models that match `?q=`."""
    query = normalized(request.GET.get("q", ""))
    context = {
        "query": query,
        "results": find_models(query)[:_MOST_RESULTS] if query else [],
        "popular": page_of_models(lookup.public_models(), sort="popular", size=ROW_SIZE).models,
    }
    return render(request, "marketplace/search.html", context)


@require_safe
def collection(request: HttpRequest, slug: str) -> HttpResponse:
    """One collection and its models."""
    found = curation.get_collection(slug)
    context = {
        "collection": found,
        "models": list(curation.models_in(found)),
        "others": curation.list_collections().exclude(pk=found.pk)[:6],
    }
    return render(request, "marketplace/collection.html", context)


@require_safe
def profile(request: HttpRequest, owner: str) -> HttpResponse:
    """An account's models: the public ones, and all of them for whoever acts as the account."""
    account = account_lookup.get_account(owner)
    caller = session_caller(request)
    is_own = caller is not None and caller.owns(account.pk)
    visible = (lookup.visible_models(caller) if is_own else lookup.public_models()).filter(account=account)
    page = page_of_models(visible, sort="newest", cursor=request.GET.get("cursor", ""))
    context = {"account": account, "is_own": is_own, "page": page, "total": visible.count()}
    return render(request, "marketplace/profile.html", context)
