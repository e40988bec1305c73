"""Collections, and which model the home page shows at work. Operators' changes go to the audit log."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, Prefetch, Q, QuerySet

from accounts import audit
from accounts.models import User
from marketplace.lib.problems import NotFound
from models_catalog import lookup
from models_catalog.models import Collection, Example, Model

FEATURED = "featured"  # slug of the collection whose models the home page prefers


@dataclass(frozen=True, slots=True)
class CollectionDraft:
    """What an operator writes about a collection. model_ids: of any models; only public ones are shown."""

    slug: str
    name: str
    description: str
    full_description: str
    position: int
    model_ids: Sequence[int]


def make_official(model: Model) -> None:
    """The platform stands for it: it can be run by its name alone.  Source: replicate-api.md 2.3."""
    Model.objects.filter(pk=model.pk).update(is_official=True)


def list_collections() -> QuerySet[Collection]:
    """Collections that have something to show, in the operators' order, each with `shown_count`."""
    shown = Q(members__in=lookup.public_models().values("pk"))
    counted = Collection.objects.annotate(shown_count=Count("members", filter=shown))
    return counted.filter(shown_count__gt=0).order_by("position", "slug")


def get_collection(slug: str) -> Collection:
    """A collection, whether or not it has anything to show. Raises NotFound."""
    collection = Collection.objects.filter(slug=slug).first()
    if collection is None:
        raise NotFound()
    return collection


def models_in(collection: Collection) -> QuerySet[Model]:
    """Its models that everybody may see, most run first."""
    return lookup.public_models().filter(collections=collection).order_by("-run_count", "pk")


def names_of_models_in(collections: Sequence[Collection]) -> dict[int, list[str]]:
    """`owner/name` of the models that everybody may see, most run first, by the collection's key. One query."""
    rows = Collection.members.through.objects.filter(
        collection__in=collections, model__in=lookup.public_models().values("pk")
    ).order_by("-model__run_count", "model_id")
    names: dict[int, list[str]] = {}
    for key, owner, name in rows.values_list("collection_id", "model__account__username", "model__name"):
        names.setdefault(key, []).append(f"{owner}/{name}")
    return names


def slugs_of_collections_of(models: Sequence[Model]) -> dict[int, list[str]]:
    """The collections that each model is in, in the operators' order, by the model's key. One query."""
    rows = Collection.members.through.objects.filter(model__in=models)
    slugs: dict[int, list[str]] = {}
    for key, slug in rows.order_by("collection__position", "collection__slug").values_list(
        "model_id", "collection__slug"
    ):
        slugs.setdefault(key, []).append(slug)
    return slugs


def find_showcase() -> Example | None:
    """A run to show on the home page, its `model` loaded: of a featured model if there is one, else of the most run."""
    candidates = (
        lookup.public_models()
        .filter(examples__isnull=False)
        .annotate(is_featured=Count("collections", filter=Q(collections__slug=FEATURED)))
        .order_by("-is_featured", "-is_official", "-run_count", "pk")
        .prefetch_related(Prefetch("examples", Example.objects.order_by("position", "-created_at")))
    )
    model = candidates.first()
    return None if model is None else model.examples.all()[0]


def save_collection(actor: User, draft: CollectionDraft, *, collection: Collection | None, reason: str) -> Collection:
    """Make a collection (None) or change one, its members replaced."""
    fields = {name: getattr(draft, name) for name in ("slug", "name", "description", "full_description", "position")}
    with transaction.atomic():
        if collection is None:
            saved = Collection.objects.create(**fields)
        else:
            Collection.objects.filter(pk=collection.pk).update(**fields)
            saved = Collection.objects.get(pk=collection.pk)
        saved.members.set(draft.model_ids)
        action = "create_collection" if collection is None else "change_collection"
        audit.record(actor, action, f"collection/{saved.slug}", reason=reason, models=len(draft.model_ids))
    return saved


def delete_collection(actor: User, collection: Collection, *, reason: str) -> None:
    """Remove a collection; its models stay."""
    with transaction.atomic():
        audit.record(actor, "delete_collection", f"collection/{collection.slug}", reason=reason)
        Collection.objects.filter(pk=collection.pk).delete()
