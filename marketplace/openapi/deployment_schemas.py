"""What travels over the API about deployments and their releases.  Source: replicate-api.md 2.9."""

from typing import Any

from marketplace.openapi.schemas import TEXT, TIME, nullable, page_of, record, ref

_BOUNDS = {
    "min_instances": {"type": "integer", "minimum": 0, "maximum": 5, "description": "Kept ready"},
    "max_instances": {"type": "integer", "minimum": 0, "maximum": 20, "description": "0 disables the deployment"},
}
DEPLOYMENT_SCHEMAS: dict[str, Any] = {
    "Release": record(
        {
            "number": {"type": "integer", "minimum": 1},
            "model": TEXT,
            "version": TEXT,
            "created_at": TIME,
            "created_by": ref("Account"),
            "configuration": record({"hardware": TEXT, **_BOUNDS}),
        }
    ),
    "ReleasePage": page_of("Release"),
    "Deployment": record(
        {
            "owner": TEXT,
            "name": TEXT,
            "current_release": ref("Release"),
            "rollout": record(
                {
                    "status": {"type": "string", "enum": ["rolling", "complete", "failed"]},
                    "serving_release": {"type": "integer", "description": "The number of the one that answers now"},
                    "error": {**nullable(TEXT), "description": "Why the current release could not be brought up"},
                },
                description="Extension: whether the current release answers yet.",
            ),
        }
    ),
    "DeploymentPage": page_of("Deployment"),
    "NewDeployment": record(
        {
            "name": {**TEXT, "maxLength": 100, "pattern": r"^[a-z0-9][a-z0-9._-]*$"},
            "model": {**TEXT, "description": "`owner/name`"},
            "version": {**TEXT, "description": "A version id of the model, or `owner/name:id`"},
            "hardware": {**TEXT, "description": "A SKU of `GET /hardware`"},
            **_BOUNDS,
        }
    ),
    "DeploymentChanges": record(
        {
            "model": {**TEXT, "description": "Must be the one it has"},
            "version": TEXT,
            "hardware": TEXT,
            **_BOUNDS,
        },
        optional="model version hardware min_instances max_instances",
    ),
    "Rollback": record({"release": {"type": "integer", "minimum": 1}}, optional="release"),
}
