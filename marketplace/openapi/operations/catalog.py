"""Collections and hardware.  Source: replicate-api.md 2.7, 2.8."""

from marketplace.openapi.operation import Operation
from marketplace.openapi.schemas import array, ref

OPERATIONS = (
    Operation(
        "get",
        "/collections",
        "collections.list",
        "Collections",
        "List collections",
        {"200": ref("CollectionPage")},
    ),
    Operation(
        "get",
        "/collections/{slug}",
        "collections.get",
        "Collections",
        "Get a collection with its models",
        {"200": ref("CollectionWithModels")},
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
