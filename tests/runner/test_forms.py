"""Forms: what is typed becomes what the API would have been sent."""

from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import QueryDict

from marketplace.lib.problems import InputInvalid, InvalidField
from models_catalog.schemas import Document, validator_for
from runner.bound_fields import bind
from runner.forms import input_from_form


def schema(*required: str, **properties: dict[str, Any]) -> Document:
    """A version's document with these inputs."""
    node = {"type": "object", "properties": properties, "required": list(required)}
    return {"openapi": "3.0.2", "components": {"schemas": {"Input": node, "Output": {"type": "string"}}}}


def posted(query: str) -> QueryDict:
    return QueryDict(query)


TEXT = {"type": "string"}
SHOUT = {"type": "string", "default": "hello"}
COUNT = {"type": "integer"}
SIZE = {"type": "integer", "enum": [256, 512]}
TAGS = {"type": "array", "items": {"type": "string"}}
UNION = {"anyOf": [{"type": "integer"}, {"type": "string"}]}


@pytest.mark.parametrize(
    ("field", "query", "value"),
    [
        (TEXT, "input.x=hi+there", "hi there"),
        (TEXT, "input.x=a%0D%0Ab", "a\nb"),
        (TEXT, "input.x=42", "42"),
        (COUNT, "input.x=42", 42),
        (COUNT, "input.x=-7", -7),
        (COUNT, "input.x=1e3", 1000),
        ({"type": "number"}, "input.x=0.5", 0.5),
        ({"type": "number"}, "input.x=2", 2),
        ({"type": "number", "minimum": 0, "maximum": 1}, "input.x=.25", 0.25),
        ({"type": "boolean"}, "input.x=false&input.x=true", True),
        ({"type": "boolean"}, "input.x=false", False),
        (SIZE, "input.x=512", 512),
        ({"type": "string", "enum": ["512", "256"]}, "input.x=512", "512"),
        ({"enum": [1, 2, 3, 4, 5, 6], "type": "integer"}, "input.x=6", 6),
        (TAGS, "input.x=a&input.x=&input.x=b", ["a", "b"]),
        ({"type": "array", "items": {"type": "integer"}}, "input.x=1&input.x=2", [1, 2]),
        ({"type": "array", "items": {"type": "array", "items": TEXT}}, 'input.x=[["a"]]', [["a"]]),
        ({"type": "object"}, 'input.x={"a":+1}', {"a": 1}),
        ({}, "input.x=[1]", [1]),
        (UNION, "input.x=7&input.x:as=0", 7),
        (UNION, "input.x=7&input.x:as=1", "7"),
        ({"type": "string", "format": "uri"}, "input.x=+https://a.example/b+", "https://a.example/b"),
        ({"type": "string", "format": "password", "x-cog-secret": True}, "input.x=s3", "s3"),
    ],
)
def test_a_value_gets_the_type_that_the_schema_names(field: dict[str, Any], query: str, value: Any) -> None:
    typed = input_from_form(schema(x=field), posted(query))
    assert typed == {"x": value}
    assert type(typed["x"]) is type(value)


@pytest.mark.parametrize(
    ("field", "query"),
    [
        (TEXT | {"nullable": True}, "input.x="),
        (COUNT | {"nullable": True}, "input.x="),
        (COUNT, "input.x=+"),
        (SIZE, "input.x="),
        (TAGS, "input.x=&input.x="),
        (TAGS, ""),
        ({"type": "object"}, "input.x="),
        ({"type": "boolean", "nullable": True}, "input.x="),
        (SHOUT | {"nullable": True}, "input.x="),
        (TEXT, "x=not+ours&csrfmiddlewaretoken=t"),
    ],
)
def test_what_is_left_empty_is_left_out_and_never_null(field: dict[str, Any], query: str) -> None:
    assert input_from_form(schema(x=field), posted(query)) == {}


def test_clearing_a_text_that_has_a_default_means_an_empty_text() -> None:
    assert input_from_form(schema(x=SHOUT), posted("input.x=")) == {"x": ""}


def test_removing_all_rows_of_a_default_list_means_an_empty_list() -> None:
    assert input_from_form(schema(x=TAGS | {"default": ["a"]}), posted("input.x=")) == {"x": []}


@pytest.mark.parametrize("text", ["many", "nan", "inf", "1_0x"])
def test_an_unreadable_number_is_judged_by_the_validator_in_the_words_of_the_api(text: str) -> None:
    document = schema(x=COUNT)
    typed = input_from_form(document, posted(f"input.x={text}"))
    (problem,) = validator_for(f"v-{text}", document).problems(typed)
    assert problem.description == "Invalid type. Expected: integer, given: string"


@pytest.mark.parametrize("text", ['{"a":', "[NaN]", "word"])
def test_unreadable_json_is_named_with_its_place(text: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        input_from_form(schema(x={"type": "object"}), posted(urlencode({"input.x": text})))
    assert caught.value.fields[0].field == "input.x"
    assert caught.value.fields[0].description.startswith("Not valid JSON")


def test_an_uploaded_file_wins_over_an_empty_address() -> None:
    document = schema(x={"type": "string", "format": "uri"})
    files = {"input.x": ["http://here/v1/files/abc"]}
    assert input_from_form(document, posted("input.x="), files) == {"x": "http://here/v1/files/abc"}


def test_a_violation_is_shown_at_its_field_and_others_in_the_summary() -> None:
    invalid = [
        InvalidField("invalid_type", "input.tags.0", "Invalid type."),
        InvalidField("required", "input", "text is required"),
        InvalidField("required", "", "input is required"),
    ]
    form = bind(schema("text", text=TEXT, tags=TAGS), {}, invalid)
    assert {field.field.name: field.errors for field in form.fields} == {
        "tags": ("Invalid type.",),
        "text": ("text is required",),
    }
    assert form.summary == ("input is required",)


def test_a_form_shows_defaults_until_an_input_says_otherwise() -> None:
    document = schema(text=SHOUT, size=SIZE | {"default": 256})
    assert [field.value for field in bind(document, {}).fields] == ["hello", "256"]
    (text, size) = bind(document, {"text": "hey", "size": 512}).fields
    assert (text.value, [choice.is_chosen for choice in size.choices]) == ("hey", [False, True])


def test_secrets_are_never_filled_in() -> None:
    document = schema(key={"type": "string", "format": "password", "x-cog-secret": True}, text=TEXT)
    values = {"key": "hunter2", "text": "[REDACTED]"}
    assert [field.values for field in bind(document, values).fields] == [(), ()]


def test_many_inputs_are_folded_but_required_ones_and_mistakes_are_seen() -> None:
    document = schema("last", **{f"x{index}": TEXT for index in range(9)}, last=TEXT)
    form = bind(document, {})
    assert [field.field.name for field in form.folded] == ["x6", "x7", "x8"]
    assert not form.is_open
    assert bind(document, {}, [InvalidField("x", "input.x8", "wrong")]).is_open
