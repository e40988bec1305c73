"""Collections in the operators' console. Models and reports are in `marketplace.admin`: taking one down joins rooms."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action

from accounts.access import operator_of
from marketplace.lib.console import ReasonField, StaffAdmin
from models_catalog import curation
from models_catalog.curation import CollectionDraft
from models_catalog.models import Collection


class CollectionForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at runtime
    """A collection's words and members, and why."""

    reason = ReasonField()

    class Meta:
        model = Collection
        fields = ("slug", "name", "description", "full_description", "position", "members")


@admin.register(Collection)
class CollectionAdmin(StaffAdmin):
    """Collections are made, changed and deleted, each time with a reason."""

    form = CollectionForm
    list_display: ClassVar = ["name", "slug", "position"]
    search_fields: ClassVar = ["name", "slug"]
    autocomplete_fields: ClassVar = ["members"]
    fields: ClassVar = ["slug", "name", "description", "full_description", "position", "members", "reason"]
    actions_detail: ClassVar = ["delete_collection"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """With a reason."""
        return bool(request.user.is_staff)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """With a reason."""
        return bool(request.user.is_staff)

    def save_model(self, request: HttpRequest, obj: Collection, form: Any, change: bool) -> None:
        """Through the verb, members included."""
        data: dict[str, Any] = form.cleaned_data
        draft = CollectionDraft(
            slug=data["slug"],
            name=data["name"],
            description=data["description"],
            full_description=data["full_description"],
            position=data["position"],
            model_ids=[model.pk for model in data["members"]],
        )
        saved = curation.save_collection(
            operator_of(request), draft, collection=obj if change else None, reason=data["reason"]
        )
        obj.pk = saved.pk

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The verb has done it."""

    @action(description="Delete…", url_path="delete-collection", icon="delete")
    def delete_collection(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then delete it."""
        return self.with_reason(
            request,
            object_id,
            title="Delete collection {}",
            effect="The collection's page goes away. Its models stay.",
            done="The collection {} is deleted.",
            verb=lambda found, reason: curation.delete_collection(operator_of(request), found, reason=reason),
        )
