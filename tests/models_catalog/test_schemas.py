"""Schema documents: inputs judged in the API's words, cleaned, redacted; forms and outputs told apart."""

import copy
import timeit
from typing import Any

import pytest

from models_catalog import schemas
from models_catalog.schemas import FieldKind, OutputKind, SchemaInvalid, Validator

Json = dict[str, Any]


def document(
    properties: Json | None = None, *, required: list[str] | None = None, output: Json | None = None, **components: Json
) -> Json:
    entry = {"type": "object", "title": "Input", "properties": properties or {}} | (
        {"required": required} if required else {}
    )
    known = {"Input": entry, "Output": output or {"type": "string"}} | components
    return {"openapi": "3.0.2", "info": {"title": "Cog"}, "paths": {}, "components": {"schemas": known}}


def choices(name: str) -> Json:
    return {"allOf": [{"$ref": f"#/components/schemas/{name}"}]}


MOOD: Json = {"title": "mood", "type": "string", "enum": ["loud", "louder"], "description": "An enumeration."}
FULL = document(
    {
        "text": {"type": "string", "title": "Text", "x-order": 0, "minLength": 2, "maxLength": 10},
        "steps": {"type": "integer", "title": "Steps", "x-order": 1, "minimum": 1, "maximum": 4, "default": 99},
        "scale": {"type": "number", "x-order": 2, "minimum": 0.5},
        "mood": choices("mood") | {"default": "loud", "x-order": 3},
        "image": {"type": "string", "format": "uri", "nullable": True, "x-order": 4},
        "stop": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}, "x-order": 5},
        "either": {"anyOf": [{"type": "string"}, {"type": "number"}], "x-order": 6},
        "maybe": {"anyOf": [{"type": "string", "nullable": True}], "nullable": True, "x-order": 7},
        "fast": {"type": "boolean", "x-order": 8},
        "extra": {"type": "object", "x-order": 9},
        "key": {"type": "string", "format": "password", "x-cog-secret": True, "nullable": True, "x-order": 10},
    },
    required=["text"],
    mood=MOOD,
)


def problems(value: object, of: Json = FULL) -> list[tuple[str, str, str]]:
    return [(one.type, one.field, one.description) for one in Validator(of).problems(value)]


@pytest.mark.parametrize(
    "value",
    [
        {"text": "hi"},
        {"text": "hi", "steps": 4, "scale": 0.5, "mood": "louder", "fast": False, "extra": {"any": [1]}},
        {"text": "hi", "scale": 3},
        {"text": "hi", "steps": 1.0},
        {"text": "hi", "surplus": object.__name__, "unknown": None},
        {"text": "hi", "image": None, "maybe": None, "key": None},
        {"text": "hi", "stop": [], "either": 1.5},
        {"text": "h\u00e4" * 5},
    ],
)
def test_what_the_model_takes_is_no_problem(value: Json) -> None:
    assert problems(value) == []


@pytest.mark.parametrize("uri", ["http://a/b", "https://a", "HTTPS://a", "data:text/plain,x"])
def test_files_are_http_or_data_addresses(uri: str) -> None:
    assert problems({"text": "hi", "image": uri}) == []


@pytest.mark.parametrize("uri", ["ftp://a/b", "file:///etc/passwd", "/etc/passwd", "photo.png", "", " https://a"])
def test_any_other_address_is_refused(uri: str) -> None:
    assert problems({"text": "hi", "image": uri}) == [("format", "input.image", "Does not match format 'uri'")]


@pytest.mark.parametrize(
    ("value", "kind", "field", "description"),
    [
        (None, "invalid_type", "input", "Invalid type. Expected: object, given: null"),
        ([], "invalid_type", "input", "Invalid type. Expected: object, given: array"),
        ({}, "required", "input", "text is required"),
        ({"text": 5}, "invalid_type", "input.text", "Invalid type. Expected: string, given: integer"),
        ({"text": None}, "invalid_type", "input.text", "Invalid type. Expected: string, given: null"),
        ({"text": "x"}, "string_gte", "input.text", "String length must be greater than or equal to 2"),
        ({"text": "x" * 11}, "string_lte", "input.text", "String length must be less than or equal to 10"),
        ({"steps": "512"}, "invalid_type", "input.steps", "Invalid type. Expected: integer, given: string"),
        ({"steps": 1.5}, "invalid_type", "input.steps", "Invalid type. Expected: integer, given: number"),
        ({"steps": True}, "invalid_type", "input.steps", "Invalid type. Expected: integer, given: boolean"),
        ({"steps": None}, "invalid_type", "input.steps", "Invalid type. Expected: integer, given: null"),
        ({"steps": 5}, "number_lte", "input.steps", "Must be less than or equal to 4"),
        ({"steps": 0}, "number_gte", "input.steps", "Must be greater than or equal to 1"),
        ({"scale": 0}, "number_gte", "input.scale", "Must be greater than or equal to 0.5"),
        ({"scale": False}, "invalid_type", "input.scale", "Invalid type. Expected: number, given: boolean"),
        ({"mood": "calm"}, "enum", "input.mood", 'mood must be one of the following: "loud", "louder"'),
        ({"mood": 1}, "invalid_type", "input.mood", "Invalid type. Expected: string, given: integer"),
        ({"mood": None}, "invalid_type", "input.mood", "Invalid type. Expected: string, given: null"),
        ({"stop": ["a", "B"]}, "pattern", "input.stop.1", "Does not match pattern '^[a-z]+$'"),
        ({"stop": [1]}, "invalid_type", "input.stop.0", "Invalid type. Expected: string, given: integer"),
        ({"stop": "a"}, "invalid_type", "input.stop", "Invalid type. Expected: array, given: string"),
        ({"either": []}, "number_any_of", "input.either", "Must validate at least one schema (anyOf)"),
        ({"either": None}, "number_any_of", "input.either", "Must validate at least one schema (anyOf)"),
        ({"extra": "{}"}, "invalid_type", "input.extra", "Invalid type. Expected: object, given: string"),
        ({"image": 1}, "invalid_type", "input.image", "Invalid type. Expected: string, given: integer"),
    ],
)
def test_a_problem_has_the_words_that_clients_know(value: Any, kind: str, field: str, description: str) -> None:
    if isinstance(value, dict) and value:
        value = {"text": "hi"} | value
    assert problems(value) == [(kind, field, description)]


def test_all_problems_come_in_the_order_of_the_form() -> None:
    reversed_document = copy.deepcopy(FULL)
    entry = reversed_document["components"]["schemas"]["Input"]
    entry["properties"] = dict(reversed(entry["properties"].items()))
    entry["required"] = ["text", "fast"]
    value = {"either": {}, "steps": 9, "scale": "x", "image": "x"}
    assert [(kind, field) for kind, field, _ in problems(value, reversed_document)] == [
        ("required", "input"), ("required", "input"), ("number_lte", "input.steps"), ("invalid_type", "input.scale"),
        ("format", "input.image"), ("number_any_of", "input.either"),
    ]  # fmt: skip


def test_a_null_for_a_required_nullable_field_is_a_missing_field() -> None:
    required = document({"a": {"anyOf": [{"type": "string"}], "nullable": True}}, required=["a"])
    assert problems({"a": None}, required) == [("required", "input", "a is required")]


@pytest.mark.parametrize(
    ("schema", "bad", "kind", "description"),
    [
        ({"type": "number", "minimum": 1, "exclusiveMinimum": True}, 1, "number_gt", "Must be greater than 1"),
        ({"type": "number", "maximum": 1.0, "exclusiveMaximum": True}, 1, "number_lt", "Must be less than 1"),
        ({"type": "array", "minItems": 2}, [1], "array_min_items", "Array must have at least 2 items"),
        ({"type": "array", "maxItems": 1}, [1, 2], "array_max_items", "Array must have at most 1 items"),
        (
            {"type": "object", "additionalProperties": False},
            {"x": 1},
            "additional_property_not_allowed",
            "Additional property x is not allowed",
        ),
    ],
)
def test_documents_of_other_tools_are_understood(schema: Json, bad: object, kind: str, description: str) -> None:
    assert problems({"a": bad}, document({"a": schema})) == [(kind, "input.a", description)]


def test_nested_nullable_values_may_be_null() -> None:
    nested = document(
        {"a": {"type": "array", "items": {"type": "string", "enum": ["x"], "nullable": True}}, "b": {"items": MOOD}}
    )
    assert problems({"a": ["x", None]}, nested) == []
    assert problems({"a": [1]}, nested)[0][2] == "Invalid type. Expected: string, given: integer"


def test_a_pattern_that_only_python_knows_is_left_to_the_model() -> None:
    assert problems({"a": "y"}, document({"a": {"type": "string", "pattern": r"(?P<it>x)\Z"}})) == []


def test_problems_never_quote_the_value() -> None:
    secret = document({"key": {"type": "integer", "x-cog-secret": True, "multipleOf": 2, "enum": [2]}})
    assert "31337" not in str(problems({"key": 31337}, secret))
    assert "31337" not in str(problems({"key": "31337"}, secret))


def test_the_detail_has_a_line_for_each_problem() -> None:
    found = Validator(FULL).problems({"steps": 5})
    assert schemas.in_words(found) == "- input: text is required\n- input.steps: Must be less than or equal to 4\n"
    assert schemas.in_words([schemas.INPUT_MISSING]) == "- input is required\n"


def test_training_inputs_are_judged_by_their_own_component() -> None:
    both = document(TrainingInput={"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})
    assert Validator(both).problems({}) == []
    assert [one.description for one in Validator(both, "TrainingInput").problems({})] == ["n is required"]


def test_a_version_is_compiled_once() -> None:
    first = schemas.validator_for("a" * 64, FULL)
    assert schemas.validator_for("a" * 64, {}) is first
    assert schemas.validator_for("b" * 64, FULL) is not first


def test_a_small_valid_input_costs_less_than_50_microseconds() -> None:
    validator = Validator(FULL)
    value = {"text": "hi", "steps": 4, "mood": "loud", "image": "https://a/b.png", "key": None}
    assert min(timeit.repeat(lambda: validator.problems(value), number=200, repeat=5)) / 200 < 50e-6


# --- documents -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"openapi": "2.0"}, "not an OpenAPI 3 document"),
        ({"components": {}}, "no component Input"),
        ({"components": {"schemas": {"Input": {}}}}, "only one of the components Input and Output"),
        ({"components": {"schemas": {"Input": {"type": "string"}, "Output": {}}}}, "Input is not an object"),
        ({"components": {"schemas": {"Input": {"properties": []}, "Output": {}}}}, "Input is not an object"),
        ({"paths": {"/": {"$ref": "#/components/schemas/Nothing"}}}, "refers to '#/components/schemas/Nothing'"),
        ({"paths": {"/": {"$ref": "https://example.com/x"}}}, "refers to 'https://example.com/x'"),
    ],
)
def test_a_document_that_cannot_be_used_is_refused(change: Json, message: str) -> None:
    with pytest.raises(SchemaInvalid, match=message):
        schemas.check_document(FULL | change)


def test_a_good_document_passes() -> None:
    schemas.check_document(FULL)


@pytest.mark.parametrize("value", [None, [], "x", {}])
def test_what_is_no_document_is_refused(value: object) -> None:
    with pytest.raises(SchemaInvalid):
        schemas.check_document(value)


def test_references_that_double_are_refused_quickly() -> None:
    next_ones = [{"$ref": f"#/components/schemas/S{n + 1}"} for n in range(40)]
    laughs: Json = {f"S{n}": {"properties": {"a": one, "b": one}} for n, one in enumerate(next_ones)}
    with pytest.raises(SchemaInvalid, match="too large"):
        schemas.check_document(document({"a": {"$ref": "#/components/schemas/S0"}}, S40={}, **laughs))


def test_a_schema_inside_itself_ends() -> None:
    itself = {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}
    trees = document({"tree": {"$ref": "#/components/schemas/Tree"}}, Tree=itself)
    schemas.check_document(trees)
    assert problems({"tree": [[], [[]]]}, trees) == []
    assert problems({"tree": 1}, trees)[0][0] == "invalid_type"
    assert schemas.form_fields(trees)[0].kind is FieldKind.LIST


# --- inputs ----------------------------------------------------------------------------------------------------


def test_the_model_gets_neither_nulls_nor_what_it_does_not_know() -> None:
    value = {"text": "hi", "image": None, "surplus": 1, "steps": 0, "fast": False}
    assert schemas.clean_input(FULL, value) == {"text": "hi", "steps": 0, "fast": False}


def test_secrets_are_redacted_in_a_copy() -> None:
    keys = document({"key": {"x-cog-secret": True}, "keys": {"type": "array", "items": {"x-cog-secret": True}}})
    value = {"key": "s3cret", "keys": ["one", "three"], "text": "s3cret"}
    assert schemas.redact(keys, value) == {
        "key": "[REDACTED]", "keys": ["[REDACTED]", "[REDACTED]"], "text": "s3cret",
    }  # fmt: skip
    assert value["key"] == "s3cret"
    assert schemas.secret_values(keys, value) == ["s3cret", "three", "one"]


@pytest.mark.parametrize(
    ("given", "shown"), [({"key": None}, {"key": None}), ({}, {}), ({"key": {"a": 1}}, {"key": "[REDACTED]"})]
)
def test_a_secret_of_any_form_is_redacted(given: Json, shown: Json) -> None:
    assert schemas.redact(FULL, given) == shown
    assert schemas.secret_values(FULL, given) == []


# --- forms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "schema", "kind"),
    [
        ("a", {"type": "string"}, FieldKind.TEXTAREA),
        ("a", {"type": "string", "maxLength": 121}, FieldKind.TEXTAREA),
        ("a", {"type": "string", "maxLength": 120}, FieldKind.TEXT),
        ("a", {"type": "integer"}, FieldKind.INTEGER),
        ("a", {"type": "integer", "minimum": 0}, FieldKind.INTEGER),
        ("a", {"type": "number"}, FieldKind.NUMBER),
        ("a", {"type": "integer", "minimum": 0, "maximum": 9}, FieldKind.SLIDER),
        ("a", {"type": "number", "minimum": 0, "maximum": 1}, FieldKind.SLIDER),
        ("seed", {"type": "integer", "minimum": 0, "maximum": 9}, FieldKind.INTEGER),
        ("a", {"type": "boolean"}, FieldKind.SWITCH),
        ("a", {"type": "string", "enum": list("abcde")}, FieldKind.SEGMENTED),
        ("a", {"type": "string", "enum": list("abcdef")}, FieldKind.LISTBOX),
        ("a", {"type": "integer", "enum": [1, 2]}, FieldKind.SEGMENTED),
        ("a", choices("mood"), FieldKind.SEGMENTED),
        ("a", {"type": "string", "format": "uri"}, FieldKind.FILE),
        ("a", {"type": "string", "format": "password", "x-cog-secret": True}, FieldKind.SECRET),
        ("a", {"type": "array", "items": {"type": "string"}}, FieldKind.LIST),
        ("a", {"type": "object"}, FieldKind.JSON),
        ("a", {}, FieldKind.JSON),
        ("a", {"anyOf": [{"type": "string"}, {"type": "number"}]}, FieldKind.UNION),
    ],
)
def test_every_type_has_its_control(name: str, schema: Json, kind: FieldKind) -> None:
    (field,) = schemas.form_fields(document({name: schema}, mood=MOOD))
    assert field.kind is kind


def test_fields_come_in_their_order_with_all_facts() -> None:
    fields = schemas.form_fields(FULL)
    assert [field.name for field in fields] == list(FULL["components"]["schemas"]["Input"]["properties"])
    text, steps, scale, mood, image, *_ = fields
    assert (text.label, text.required, text.min_length, text.max_length) == ("Text", True, 2, 10)
    assert (steps.default, steps.has_default, steps.minimum, steps.maximum, steps.step) == (99, True, 1, 4, 1)
    assert (scale.label, scale.required, scale.has_default) == ("Scale", False, False)
    assert (mood.label, mood.choices, mood.default, mood.description) == ("Mood", ("loud", "louder"), "loud", "")
    assert (image.nullable, image.kind) == (True, FieldKind.FILE)


def test_a_list_knows_what_it_repeats_and_a_union_what_it_may_be() -> None:
    files, either = schemas.form_fields(
        document({
            "files": {"type": "array", "items": {"type": "string", "format": "uri"}, "x-cog-accept": "image/*"},
            "either": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer"}}]},
        })
    )  # fmt: skip
    assert files.item is not None
    assert (files.item.kind, files.item.accept) == (FieldKind.FILE, "image/*")
    assert [member.kind for member in either.members] == [FieldKind.TEXTAREA, FieldKind.LIST]


@pytest.mark.parametrize(
    ("low", "high", "step"),
    [(0, 1, 0.01), (0.0, 5.0, 0.01), (0, 20, 0.1), (-1, 1, 0.01), (0, 1000, 10), (0, 0.1, 0.001)],
)
def test_a_slider_of_numbers_has_a_round_step(low: float, high: float, step: float) -> None:
    (field,) = schemas.form_fields(document({"a": {"type": "number", "minimum": low, "maximum": high}}))
    assert field.step == step


# --- outputs ---------------------------------------------------------------------------------------------------

TEXT: Json = {"type": "string"}
FILE: Json = {"type": "string", "format": "uri"}


def array(items: Json, **more: str) -> Json:
    return {"type": "array", "items": items} | {key.replace("_", "-"): value for key, value in more.items()}


@pytest.mark.parametrize(
    ("output", "kind", "listed", "iterates"),
    [
        (TEXT, OutputKind.TEXT, False, False),
        (FILE, OutputKind.FILE, False, False),
        (array(TEXT), OutputKind.LIST, True, False),
        (array(FILE), OutputKind.FILES, True, False),
        (array(TEXT, x_cog_array_type="iterator"), OutputKind.ITERATOR, True, True),
        (array(FILE, x_cog_array_type="iterator"), OutputKind.FILE_ITERATOR, True, True),
        (
            array(TEXT, x_cog_array_type="iterator", x_cog_array_display="concatenate"),
            OutputKind.CONCATENATED,
            True,
            True,
        ),
        ({"type": "integer"}, OutputKind.VALUE, False, False),
        ({"type": "boolean"}, OutputKind.VALUE, False, False),
        ({"type": "object", "properties": {"a": FILE}}, OutputKind.JSON, False, False),
        ({}, OutputKind.JSON, False, False),
    ],
)
def test_every_output_has_its_renderer(output: Json, kind: OutputKind, listed: bool, iterates: bool) -> None:
    given = document(output=output | {"title": "Output"})
    assert schemas.output_kind(given) is kind
    assert (schemas.is_list(given), schemas.is_iterator(given)) == (listed, iterates)
    assert schemas.is_file_iterator(given) == (kind is OutputKind.FILE_ITERATOR)
    assert schemas.is_concatenated(given) == (kind is OutputKind.CONCATENATED)


def test_streaming_is_what_the_path_says() -> None:
    assert not schemas.is_streaming(FULL)
    assert schemas.is_streaming(FULL | {"paths": {"/predictions": {"post": {"x-cog-streaming": True}}}})
    assert not schemas.is_streaming({"paths": []})
