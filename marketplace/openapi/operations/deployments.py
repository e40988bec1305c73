"""Deployments and their releases.  Source: replicate-api.md 2.9."""

from typing import Any

from marketplace.openapi.examples import DEPLOYMENT_EXAMPLE, NEW_PREDICTION, QUOTE_EXAMPLE, page_example
from marketplace.openapi.operation import DEPLOYMENT_PATH, Link, Operation
from marketplace.openapi.schemas import ref

_RELEASE = DEPLOYMENT_EXAMPLE["current_release"]
_ONE: dict[str, dict[str, Any] | None] = {"200": ref("Deployment")}
_NAMED = {"owner": "$response.body#/owner", "name": "$response.body#/name"}
_NEXT = (Link("deployments.get", _NAMED), Link("deployments.predictions.create", _NAMED))
_OF_PREDICTION = {"prediction_id": "$response.body#/id"}

OPERATIONS = (
    Operation(
        "get",
        "/deployments",
        "deployments.list",
        "Deployments",
        "List deployments",
        {"200": ref("DeploymentPage")},
        "The account's, newest first, 100 a page.",
        answer_example=page_example(DEPLOYMENT_EXAMPLE),
        parameters=("cursor",),
    ),
    Operation(
        "post",
        "/deployments",
        "deployments.create",
        "Deployments",
        "Create a deployment",
        _ONE,
        "A version on chosen hardware with instances of its own: at least `min_instances` are kept ready from now on, "
        "at most `max_instances` are started when many predictions wait.",
        body=ref("NewDeployment"),
        body_example={
            "name": "shout-prod",
            "model": _RELEASE["model"],
            "version": _RELEASE["version"],
            "hardware": "cpu",
            "min_instances": 0,
            "max_instances": 3,
        },
        answer_example=DEPLOYMENT_EXAMPLE,
        parameters=("Idempotency-Key",),
        links=_NEXT,
        errors=("400", "409"),
    ),
    Operation(
        "get",
        DEPLOYMENT_PATH,
        "deployments.get",
        "Deployments",
        "Get a deployment",
        _ONE,
        answer_example=DEPLOYMENT_EXAMPLE,
        errors=("404",),
    ),
    Operation(
        "patch",
        DEPLOYMENT_PATH,
        "deployments.update",
        "Deployments",
        "Change a deployment",
        _ONE,
        "Makes a new release, unless nothing changes. The release before answers until the new one's instances are "
        "ready, so that no prediction fails or waits because of the change.",
        body=ref("DeploymentChanges"),
        body_example={"min_instances": 1, "max_instances": 5},
        answer_example=DEPLOYMENT_EXAMPLE,
        errors=("400", "404"),
    ),
    Operation(
        "delete",
        DEPLOYMENT_PATH,
        "deployments.delete",
        "Deployments",
        "Delete a deployment",
        {"204": None},
        "Only one that never got a prediction, or has had no instance and no prediction for 15 minutes.",
        errors=("404", "409"),
    ),
    Operation(
        "post",
        f"{DEPLOYMENT_PATH}/predictions",
        "deployments.predictions.create",
        "Deployments",
        "Run a deployment",
        {"201": ref("Prediction"), "202": ref("Prediction")},
        "As for any prediction; it runs on the deployment's own instances.",
        body=ref("NewOfficialPrediction"),
        body_example={"input": {"text": "hi there"}},
        answer_example={**NEW_PREDICTION, "deployment": "nina/shout-prod"},
        parameters=("Prefer", "Cancel-After", "Idempotency-Key"),
        also=(("200", ref("Quote"), {**QUOTE_EXAMPLE, "deployment": "nina/shout-prod"}),),
        headers=("Location", "Preference-Applied"),
        links=(Link("predictions.get", _OF_PREDICTION), Link("predictions.cancel", _OF_PREDICTION)),
        errors=("400", "402", "404", "409", "422"),
    ),
    Operation(
        "get",
        f"{DEPLOYMENT_PATH}/releases",
        "deployments.releases.list",
        "Deployments",
        "List a deployment's releases",
        {"200": ref("ReleasePage")},
        "Extension: every configuration the deployment has had, newest first.",
        answer_example=page_example(_RELEASE),
        parameters=("cursor",),
        errors=("404",),
    ),
    Operation(
        "post",
        f"{DEPLOYMENT_PATH}/rollback",
        "deployments.rollback",
        "Deployments",
        "Go back to an earlier release",
        _ONE,
        "Extension: makes a new release with the configuration of release `release`, or of the one before the current.",
        body=ref("Rollback"),
        body_example={"release": 2},
        answer_example=DEPLOYMENT_EXAMPLE,
        parameters=("Idempotency-Key",),
        errors=("400", "404", "409"),
    ),
)
