"""Collections and hardware.  Source: replicate-api.md 2.7, 2.8."""

from marketplace.openapi.examples import COLLECTION_EXAMPLE, MODEL_EXAMPLE, page_example
from marketplace.openapi.operation import Link, Operation
from marketplace.openapi.schemas import array, ref

OPERATIONS = (
    Operation(
        "get",
        "/collections",
        "collections.list",
        "Collections",
        "List collections",
        {"200": ref("CollectionPage")},
        answer_example=page_example(COLLECTION_EXAMPLE),
        links=(Link("collections.get", {"slug": "$response.body#/results/0/slug"}),),
    ),
    Operation(
        "get",
        "/collections/{slug}",
        "collections.get",
        "Collections",
        "Get a collection with its models",
        {"200": ref("CollectionWithModels")},
        answer_example={**COLLECTION_EXAMPLE, "full_description": None, "models": [MODEL_EXAMPLE]},
        errors=("404",),
    ),
    Operation(
        "get",
        "/hardware",
        "hardware.list",
        "Hardware",
        "List hardware",
        {"200": array(ref("Hardware"))},
        answer_example=[{"sku": "cpu", "name": "CPU"}],
    ),
)
