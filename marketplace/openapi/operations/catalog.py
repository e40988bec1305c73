"""Search, collections and hardware.  Source: replicate-api.md 2.7, 2.8, 2.12."""

from marketplace.openapi.examples import COLLECTION_EXAMPLE, MODEL_EXAMPLE, page_example
from marketplace.openapi.operation import Link, Operation
from marketplace.openapi.schemas import array, ref

OPERATIONS = (
    Operation(
        "get",
        "/search",
        "search",
        "Search",
        "Search models, collections and documentation",
        {"200": ref("SearchResults")},
        "Public models only, best first. Typing mistakes in names are forgiven.",
        parameters=("query", "search_limit"),
        answer_example={
            "query": "shout",
            "models": [
                {
                    "model": MODEL_EXAMPLE,
                    "metadata": {"generated_description": None, "tags": ["text-tools"], "score": 0.82},
                }
            ],
            "collections": [{**COLLECTION_EXAMPLE, "models": ["nina/echo"]}],
            "pages": [{"name": "Create a prediction", "href": "/docs/api#predictions-create"}],
        },
        errors=("400",),
    ),
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
