"""The publish form: an archive, and the model it becomes a version of, which may be a new one."""

from typing import Any

from django import forms

from accounts.access import Caller
from billing import money
from billing.prices import PriceMissing, current_price
from models_catalog import model_fields
from models_catalog.model_fields import NewModel
from models_catalog.models import Model
from runner.models import Hardware, Host

NEW = "+"  # the target that is a new model; no model can be called so
_OF_A_NEW_MODEL = ("name", "description", "visibility", "hardware")
ARCHIVE_HELP = (
    "A zip or tar.gz of the folder with your cog.yaml, at most {megabytes:g} MB, without links. "
    "Leave virtual environments and .git out."
)


class PublishForm(forms.Form):
    """`target`: one of the caller's models by name, or NEW, for which the members after it count.

    What is wrong with them is forgotten for another target.
    """

    target = forms.ChoiceField(label="Model")
    name = forms.CharField(
        label="Name",
        max_length=model_fields.NAME_LENGTH,
        help_text="Lower-case letters, digits and hyphens. It becomes the model's address.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    description = forms.CharField(
        label="Description", required=False, max_length=model_fields.DESCRIPTION_LENGTH, help_text="One sentence."
    )
    visibility = forms.ChoiceField(
        label="Who may see it",
        choices=[("public", "Everybody"), ("private", "Only you")],
        initial="public",
        widget=forms.RadioSelect,
    )
    hardware = forms.ChoiceField(label="Hardware", help_text="What one second of a run costs.")
    archive = forms.FileField(label="Archive", required=False, allow_empty_file=False)
    kept_archive = forms.CharField(required=False, max_length=26, widget=forms.HiddenInput)

    def __init__(self, caller: Caller, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._caller = caller
        own = (
            Model.objects.filter(account_id=caller.account_id, deleted_at=None)
            .order_by("name")
            .values_list("name", flat=True)
        )
        choices = [(name, f"New version of {caller.username}/{name}") for name in own]
        self.fields["target"].choices = [(NEW, "A new model"), *choices]  # type: ignore[attr-defined]
        self.fields["hardware"].choices = hardware_choices()  # type: ignore[attr-defined]
        self.fields["archive"].widget.attrs["accept"] = ".zip,.tar.gz,.tgz,application/zip,application/gzip"

    @property
    def is_new_model(self) -> bool:
        """Does the caller want one made?"""
        return bool(self.cleaned_data.get("target") == NEW)

    def new_model(self) -> NewModel:
        """As the members say."""
        data = self.cleaned_data
        return NewModel(
            owner=self._caller.username,
            name=data.get("name", ""),
            visibility=data.get("visibility", ""),
            hardware=data.get("hardware", ""),
            description=data.get("description", ""),
        )

    def clean(self) -> dict[str, Any]:
        """The rules of a model's members, each mistake beside its field."""
        cleaned = super().clean() or {}
        if self.is_new_model:
            skus = [sku for sku, _ in self.fields["hardware"].choices]  # type: ignore[attr-defined]
            for error in model_fields.mistakes(self.new_model(), hardware_skus=skus):
                self.add_mistake(error.pointer.strip("/"), error.detail)
        elif "target" in cleaned:
            for name in _OF_A_NEW_MODEL:
                self.errors.pop(name, None)
        if not cleaned.get("archive") and not cleaned.get("kept_archive") and "archive" not in self.errors:
            self.add_error("archive", "Choose an archive to publish.")
        return cleaned

    def add_mistake(self, field: str, detail: str) -> None:
        """Beside the field, where it has no mistake yet; what is not about a field of this form is the archive's."""
        if field not in self.fields:
            self.add_error("archive", f"{field}: {detail}")
        elif field not in self.errors:
            self.add_error(field, detail)


def hardware_choices() -> list[tuple[str, str]]:
    """What hosts of this place offer and has a price: SKU, and its name with the price."""
    gpus = max(Host.objects.values_list("gpus", flat=True), default=0)
    choices = []
    for hardware in Hardware.objects.filter(gpus__lte=gpus):
        try:
            rate = current_price(hardware.sku).rate_nanos
        except PriceMissing:
            continue
        choices.append((hardware.sku, f"{hardware.name}: {money.in_words(rate)} per second"))
    return choices
