"""Find models and collections by words. Models: by full text over name, description and readme, and by names that look
alike, for typing mistakes.

The best few hundred candidates of each kind are found by index, then ranked together: ranking all the matches of a
common word would cost more than finding them.
"""

import re

from django.contrib.postgres.search import SearchQuery, SearchRank, SearchVector, TrigramSimilarity
from django.db.models import Case, F, FloatField, QuerySet, Value, When
from django.db.models.functions import Lower

from models_catalog import curation, lookup
from models_catalog.models import Collection, Model

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


def search_collections(text: str) -> QuerySet[Collection]:
    """Collections with something to show whose name or texts have all the words, in the operators' order."""
    query = SearchQuery(_prefix_query(normalized(text)), config="english", search_type="raw")
    document = SearchVector("name", "slug", "description", "full_description", config="english")
    fitting = Collection.objects.annotate(document=document).filter(document=query)
    return curation.list_collections().filter(pk__in=fitting.values("pk"))


def normalized(text: str) -> str:
    """As `tidied`, in lower case."""
    return tidied(text.lower())


def tidied(text: str) -> str:
    """Single blanks, not too long, nothing that the database would refuse."""
    return " ".join(text.replace("\x00", " ").split())[:LONGEST_QUERY]


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
