"""The OpenAPI document is valid, covers every path of the API, and its examples fit it; the page shows all of it."""

import re

import jsonschema_rs
import pytest
from drf_spectacular.validation import validate_schema

from marketplace import api as api_root
from marketplace.openapi import document
from marketplace.templatetags.formats import with_code

SUBMIT = "models-versions-create"
METHODS = {"get", "post", "put", "patch", "delete", "x-query"}


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
    document_part = {**_with_nulls(schema), "components": _with_nulls(document()["components"])}
    jsonschema_rs.validate(document_part, example)


def _with_nulls(part):
    if isinstance(part, list):
        return [_with_nulls(item) for item in part]
    if not isinstance(part, dict):
        return part
    members = {name: _with_nulls(item) for name, item in part.items() if name != "nullable"}
    return {"anyOf": [members, {"type": "null"}]} if part.get("nullable") is True else members


def test_a_null_of_our_documents_fits_where_it_may_be():
    model = {
        **_with_nulls(document()["components"]["schemas"]["Model"]),
        "components": _with_nulls(document()["components"]),
    }
    described = document()["paths"]["/v1/models/{owner}/{name}"]["get"]["responses"]["200"]["content"]
    example = described["application/json"]["example"]
    jsonschema_rs.validate(model, {**example, "latest_version": None})
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(model, {**example, "visibility": None})


def is_binary(content):
    return content["schema"].get("format") == "binary"


@pytest.mark.parametrize(("path", "method", "operation"), operations())
def test_every_operation_shows_an_example_of_its_body_and_its_answer(path, method, operation):
    bodies = list(operation.get("requestBody", {}).get("content", {}).values())
    answer = next(iter(operation["responses"].values()))
    for content in [*bodies, *answer.get("content", {}).values()]:
        assert "example" in content or is_binary(content)


@pytest.mark.parametrize(("path", "method", "operation"), operations())
def test_links_lead_to_operations_and_fill_parameters_of_their_paths(path, method, operation):
    known = {target["operationId"]: target for _, _, target in operations()}
    for answer in operation["responses"].values():
        for link in answer.get("links", {}).values():
            wanted = {p["name"] for p in known[link["operationId"]]["parameters"] if p["in"] == "path"}
            assert link["parameters"].keys() == wanted


def test_what_is_created_leads_to_what_can_be_done_with_it():
    leads = {
        operation["operationId"]: sorted(next(iter(operation["responses"].values())).get("links", {}))
        for _, _, operation in operations()
    }
    assert leads["predictions.create"] == ["predictions.cancel", "predictions.get"]
    assert leads["files.create"] == ["files.delete", "files.get"]
    assert "models.versions.list" in leads["models.get"]


@pytest.mark.parametrize(("path", "method", "operation"), operations())
def test_every_operation_with_a_token_says_what_all_of_them_answer(path, method, operation):
    answers = operation["responses"]
    if "security" in operation:
        assert not {"401", "429"} & answers.keys()
    else:
        assert {"401", "429"} <= answers.keys()
        assert "Retry-After" in answers["429"]["headers"]
        assert {"ratelimit-remaining", "ratelimit-reset"} <= next(iter(answers.values()))["headers"].keys()


def test_the_document_is_served_without_a_token(event_loop_thread):
    from tests.plugins.api_client import ApiClient

    answer = ApiClient(event_loop_thread, None).get("/v1/openapi.json")
    assert (answer.status_code, answer.json()["openapi"]) == (200, "3.0.3")


def test_the_reference_page_marks_what_goes_beyond_replicate(visitor):
    page = visitor.get("/docs/api").content.decode()
    ours, theirs = (
        page.partition(f'id="{name}"')[2].partition("</article>")[0] for name in (SUBMIT, "predictions-create")
    )
    assert 'badge info">extension' in ours.partition("</div>")[0]
    assert "--data-binary @model.tar.gz" in ours
    assert 'badge info">extension' not in theirs.partition("</div>")[0]


def test_words_between_backticks_are_code_and_nothing_is_markup():
    assert with_code("Send `a<b>`, not <i>") == "Send <code>a&lt;b&gt;</code>, not &lt;i&gt;"


def test_the_reference_page_shows_every_operation(visitor):
    page = visitor.get("/docs/api").content.decode()
    assert all(f'id="{operation["operationId"].replace(".", "-")}"' in page for _, _, operation in operations())
