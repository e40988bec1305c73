"""The OpenAPI document is valid, covers every path of the API, and its examples fit it; the page shows all of it."""

import re

import jsonschema_rs
import pytest
from drf_spectacular.validation import validate_schema

from marketplace import api as api_root
from marketplace.openapi import document

METHODS = {"get", "post", "patch", "delete", "x-query"}


def operations():
    return [
        (path, method, operation)
        for path, item in document()["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def test_the_document_is_valid_openapi():
    validate_schema(document())


def test_every_path_of_the_api_is_documented():
    served = {
        "/v1/" + re.sub(r"<str:(\w+)>", r"{\1}", str(pattern.pattern)) for pattern in api_root.urlpatterns[:-1]
    } - {"/v1/openapi.json"}
    assert served == set(document()["paths"])


def test_every_method_that_is_documented_is_served_and_no_other(event_loop_thread):
    from tests.plugins.api_client import ApiClient

    visitor = ApiClient(event_loop_thread, None)
    documented: dict[str, set[str]] = {}
    for path, method, _ in operations():
        documented.setdefault(path, set()).add(method.removeprefix("x-").upper())
    for path, methods in documented.items():
        allowed = set(visitor.request("OPTIONS", re.sub(r"{\w+}", "x", path)).headers["allow"].split(", "))
        assert allowed - {"HEAD", "OPTIONS"} == methods, path


def test_operation_ids_are_unique():
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        (content["schema"], content["example"])
        for _, _, operation in operations()
        for part in [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in part.get("content", {}).values()
        if "example" in content
    ],
)
def test_examples_fit_their_schemas(schema, example):
    # OpenAPI 3.0 says `nullable` where JSON Schema lists the type null.
    document_part = {**schema, "components": _with_nulls(document()["components"])}
    jsonschema_rs.validate(document_part, example)


def _with_nulls(part):
    if isinstance(part, list):
        return [_with_nulls(item) for item in part]
    if not isinstance(part, dict):
        return part
    members = {name: _with_nulls(item) for name, item in part.items()}
    if members.get("nullable") is True and isinstance(members.get("type"), str):
        members["type"] = [members["type"], "null"]
    return members


def test_the_document_is_served_without_a_token(event_loop_thread):
    from tests.plugins.api_client import ApiClient

    answer = ApiClient(event_loop_thread, None).get("/v1/openapi.json")
    assert (answer.status_code, answer.json()["openapi"]) == (200, "3.0.3")


def test_the_reference_page_shows_every_operation(visitor):
    page = visitor.get("/docs/api").content.decode()
    assert all(f'id="{operation["operationId"].replace(".", "-")}"' in page for _, _, operation in operations())
