"""Deployments and releases as the API shows them.  Source: replicate-api.md 2.9."""

from typing import Any

from accounts.api import account_document
from accounts.models import Account
from marketplace.lib.timestamps import timestamp
from runner.models import Deployment, Release


def deployment_document(deployment: Deployment) -> dict[str, Any]:
    """deployment: as `deployments.list_deployments` gives it."""
    current, serving = deployment.current_release, deployment.serving_release
    assert current is not None and serving is not None
    return {
        "owner": deployment.account.username,
        "name": deployment.name,
        "current_release": release_document(current, deployment.account),
        "rollout": {
            "status": _rollout_status(deployment, current),
            "serving_release": serving.number,
            "error": current.error or None,
        },
    }


def release_document(release: Release, owner: Account) -> dict[str, Any]:
    """owner: stands for a creator whose account is gone: the member is never null."""
    creator: Account | None = getattr(release.created_by, "account", None)
    return {
        "number": release.number,
        "model": release.version.model.full_name,
        "version": release.version_id,
        "created_at": timestamp(release.created_at),
        "created_by": account_document(creator or owner),
        "configuration": {
            "hardware": release.hardware,
            "min_instances": release.min_instances,
            "max_instances": release.max_instances,
        },
    }


def _rollout_status(deployment: Deployment, current: Release) -> str:
    if not deployment.is_rolling:
        return "complete"
    return "failed" if current.error else "rolling"
