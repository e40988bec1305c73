"""Which version a caller means: `<id>`, `owner/name:<id>`, `owner/name` of an official model, or a deployment's.

Source: replicate-api.md 2.3.
"""

from dataclasses import replace

from accounts.access import Caller
from marketplace.lib.problems import NotFound, Problem
from models_catalog import lookup
from models_catalog.lookup import VersionFacts
from runner.deployment_targets import DeploymentTarget, find_target


class InvalidVersion(Problem):
    """Unknown, ill-formed, or somebody else's: the answers look alike."""

    status = 422
    title = "Invalid version or not permitted"

    def __init__(self) -> None:
        super().__init__("The specified version does not exist (or perhaps you don't have permission to use it?)")


def resolve(caller: Caller, reference: str) -> tuple[VersionFacts, bool]:
    """The version's facts, and whether it was called by its official model's name. Raises InvalidVersion."""
    name, has_name, version_id = reference.rpartition(":")
    if not has_name and "/" in reference:
        owner, _, model_name = reference.partition("/")
        facts = lookup.find_official_facts(caller, owner, model_name)
        by_name = True
    else:
        facts = lookup.find_facts(caller, version_id)
        by_name = False
        if facts and has_name and facts.model_name.lower() != name.lower():
            facts = None
    if facts is None:
        raise InvalidVersion
    return facts, by_name


def resolve_official(caller: Caller, owner: str, name: str) -> VersionFacts:
    """The current version of an official model. Raises NotFound, for other models too."""
    facts = lookup.find_official_facts(caller, owner, name)
    if facts is None:
        raise NotFound
    return facts


def resolve_deployment(caller: Caller, owner: str, name: str) -> tuple[VersionFacts, DeploymentTarget]:
    """Version and hardware of a deployment's serving release.

    Raises NotFound, DeploymentDisabled, and InvalidVersion where the caller may no longer run the version.
    """
    target = find_target(caller, owner, name)
    facts = lookup.find_facts(caller, target.version_id)
    if facts is None:
        raise InvalidVersion
    return replace(facts, hardware=target.hardware), target
