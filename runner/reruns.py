"""Run a prediction again, with some of its input changed. An extension of the wire contract."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from accounts.access import Caller
from marketplace.lib.problems import InputInvalid, InvalidField, Problem
from models_catalog import lookup, schemas
from models_catalog.lookup import VersionFacts
from runner import deployment_targets, predictions
from runner.creation_requests import CreationBody
from runner.deployment_targets import DeploymentTarget
from runner.models import Prediction
from runner.version_references import InvalidVersion


class DataRemoved(Problem):
    """What it was given is not kept any more.  Source: replicate-api.md 3.6."""

    status = 410
    title = "Prediction data removed"

    def __init__(self) -> None:
        super().__init__("The input of this prediction has been removed, so it can't be run again")


def repeated(caller: Caller, prediction_id: str, asked: CreationBody) -> tuple[Prediction, CreationBody]:
    """The original, and what its repetition asks for. Raises NotFound, and as `input_again`."""
    original = predictions.get_prediction(caller, prediction_id)
    return original, replace(asked, input=input_again(original, asked.input))


def input_again(original: Prediction, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The input of the original with the changes put over it; null removes a member.

    Secrets are not kept in readable form, so each must be given anew, or removed. Raises DataRemoved, and InputInvalid
    naming the secrets that are missing.
    """
    if original.data_removed:
        raise DataRemoved
    kept = {name: value for name, value in original.input.items() if name not in changes}
    hidden = schemas.secret_values(original.version.openapi_schema, kept)
    if hidden:
        secret = [name for name in kept if schemas.secret_values(original.version.openapi_schema, {name: kept[name]})]
        words = "This member is secret and can't be repeated: give it again, or null to leave it out"
        raise InputInvalid([InvalidField("required", f"input.{name}", words) for name in secret])
    return {**kept, **{name: value for name, value in changes.items() if value is not None}}


def resolve_again(caller: Caller, original: Prediction) -> tuple[VersionFacts, bool, DeploymentTarget | None]:
    """What the original ran: its version, whether it was called by its model's name, its deployment.

    The deployment only while it still runs that version. Raises InvalidVersion where the caller may no longer run it.
    """
    facts = lookup.find_facts(caller, original.version_id)
    if facts is None:
        raise InvalidVersion
    return facts, original.version_label == "hidden" and facts.is_official, _deployment(caller, original)


def _deployment(caller: Caller, original: Prediction) -> DeploymentTarget | None:
    owner, _, name = original.deployment_name.partition("/")
    if not name:
        return None
    try:
        target = deployment_targets.find_target(caller, owner, name)
    except Problem:  # deleted or disabled since
        return None
    return target if target.version_id == original.version_id else None
