"""The forms of deployments. What they hold becomes what the API takes, so both have one set of rules."""

from typing import Any

from django import forms

from accounts.access import Caller
from marketplace.lib.problems import ValidationFailed
from models_catalog import lookup
from models_catalog.models import Model
from runner.deployment_fields import (
    MOST_MAXIMUM,
    MOST_MINIMUM,
    NAME_LENGTH,
    NewDeployment,
    ReleaseChanges,
    parse_changes,
    parse_new_deployment,
)
from runner.models import Hardware, Release
from runner.publish_forms import hardware_choices

_MOST_VERSIONS = 50  # that a page offers


class ReleaseForm(forms.Form):
    """What a release says, of one model. `release`: what there is now, which is always among the choices."""

    version = forms.ChoiceField(label="Version")
    hardware = forms.ChoiceField(label="Hardware", help_text="What one second of a run costs.")
    min_instances = forms.IntegerField(
        label="Minimum instances",
        min_value=0,
        max_value=MOST_MINIMUM,
        initial=0,
        help_text=f"Kept ready all the time, 0 to {MOST_MINIMUM}. With 0 a run after a pause waits for one to start.",
    )
    max_instances = forms.IntegerField(
        label="Maximum instances",
        min_value=0,
        max_value=MOST_MAXIMUM,
        initial=1,
        help_text=f"Started when many runs wait, 0 to {MOST_MAXIMUM}. 0 switches the deployment off.",
    )

    def __init__(self, caller: Caller, model: Model, *args: Any, release: Release | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        versions = lookup.list_versions(caller, model).defer("openapi_schema", "config")[:_MOST_VERSIONS]
        offered = {version.pk: f"{version.pk[:12]}, {version.created_at:%-d %B %Y}" for version in versions}
        hardware = dict(hardware_choices())
        if release:
            offered.setdefault(release.version_id, release.version_id[:12])
            hardware.setdefault(release.hardware, release.hardware)
            for name in ("hardware", "min_instances", "max_instances"):
                self.fields[name].initial = getattr(release, name)
            self.fields["version"].initial = release.version_id
        self.fields["version"].choices = list(offered.items())  # type: ignore[attr-defined]
        self.fields["hardware"].choices = list(hardware.items())  # type: ignore[attr-defined]

    def changes(self) -> ReleaseChanges:
        """What the API would be sent. Raises ValidationFailed."""
        return parse_changes(self.cleaned_data, hardware_skus=_skus())

    def add_mistakes(self, problem: ValidationFailed) -> None:
        """Each beside its field."""
        for error in problem.errors:
            name = error.pointer.strip("/")
            self.add_error(name if name in self.fields else None, error.detail)


class NewDeploymentForm(ReleaseForm):
    """A deployment of one model."""

    name = forms.CharField(
        label="Name",
        max_length=NAME_LENGTH,
        help_text="Lower-case letters, digits and hyphens. Programs call it by this name.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    field_order = ("name", "version", "hardware", "min_instances", "max_instances")

    def __init__(self, caller: Caller, model: Model, *args: Any, **kwargs: Any) -> None:
        super().__init__(caller, model, *args, **kwargs)
        self._model = model
        self.fields["version"].initial = model.latest_version_id
        self.fields["hardware"].initial = model.hardware

    def new_deployment(self) -> NewDeployment:
        """What the API would be sent. Raises ValidationFailed."""
        document = {**self.cleaned_data, "model": self._model.full_name}
        return parse_new_deployment(document, hardware_skus=_skus())


def _skus() -> list[str]:
    return list(Hardware.objects.values_list("sku", flat=True))
