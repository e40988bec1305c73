"""Find models by words: full text over name, description and readme, and names that look alike for typing mistakes.

The best few hundred candidates of each kind are found by index, then ranked together: ranking all the matches of a
common word would cost more than finding them.
"""

import re

from django.contrib.postgres.search import SearchQuery, SearchRank, TrigramSimilarity
from django.db.models import Case, F, FloatField, QuerySet, Value, When
from django.db.models.functions import Lower

from models_catalog import lookup
from models_catalog.models import Model

LONGEST_QUERY = 200  # characters
_MOST_WORDS = 12
_SHORTEST_PREFIX = 3
_TEXT_CANDIDATES = 200
_NAME_CANDIDATES = 100


def search(text: str) -> QuerySet[Model]:
    """Public models that fit the text, best first, more run ones before less run ones; all by runs for no text."""
    wanted = normalized(text)
    public = lookup.public_models()
    if not wanted:
        return public.order_by("-run_count", "pk")
    owner, _, name = wanted.rpartition("/")
    query = SearchQuery(_prefix_query(wanted), config="english", search_type="raw")
    relevance = (
        SearchRank(F("search_document"), query)
        + TrigramSimilarity("name", name) * 2
        + Case(When(name=name, then=Value(2.0)), default=Value(0.0), output_field=FloatField())
    )
    return (
        public.filter(pk__in=_candidates(query, owner, name))
        .annotate(relevance=relevance)
        .order_by("-relevance", "-run_count", "pk")
    )


def normalized(text: str) -> str:
    """Lower case, single blanks, nothing that the database would refuse."""
    return " ".join(text.replace("\x00", " ").lower().split())[:LONGEST_QUERY]


def _candidates(query: SearchQuery, owner: str, name: str) -> "QuerySet[Model, int]":
    """Ids of what may fit: by text, by a part of the name, by likeness of the name, by owner."""
    models = Model.objects.filter(visibility=Model.Visibility.PUBLIC)
    kinds = (
        models.filter(search_document=query).order_by("-run_count")[:_TEXT_CANDIDATES],
        models.filter(name__contains=name).order_by("-run_count")[:_NAME_CANDIDATES],
        models.filter(name__trigram_similar=name).order_by(TrigramSimilarity("name", name).desc())[:_NAME_CANDIDATES],
        models.alias(owner=Lower("account__username")).filter(owner=owner or name)[:_NAME_CANDIDATES],
    )
    first, *others = (kind.values_list("pk", flat=True) for kind in kinds)
    return first.union(*others)


def _prefix_query(text: str) -> str:
    """All words, each also as the beginning of a longer one."""
    words = re.findall(r"\w+", text)[:_MOST_WORDS]
    return " & ".join(f"'{word}':*" if len(word) >= _SHORTEST_PREFIX else f"'{word}'" for word in words)
