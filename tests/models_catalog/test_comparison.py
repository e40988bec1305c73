"""What changed between two schemas, and what of it breaks callers."""

from typing import Any

import pytest

from models_catalog.schemas import compare
from tests.models_catalog.factories import FILE_ITERATOR, TEXT_ITERATOR, schema

TEXT = {"type": "string"}
STEPS = {"type": "integer", "minimum": 1, "maximum": 50, "default": 20}
MOOD = {"type": "string", "enum": ["loud", "soft"], "default": "loud"}
FILE = {"type": "string", "format": "uri"}
NULLABLE = {"type": "string", "nullable": True}
UNION = {"anyOf": [{"type": "string"}, {"type": "integer"}], "default": 1}
SIDES: dict[str, Any] = {"width": {"type": "integer"}, "height": {"type": "integer"}}
BOX: dict[str, Any] = {"type": "object", "properties": SIDES}


def inputs(**fields):
    return schema(fields)


def outputs(node):
    return schema({"text": TEXT}, node)


BREAKING = {
    "removed": (inputs(text=TEXT, steps=STEPS), inputs(text=TEXT), "input.steps: is gone."),
    "new_and_required": (inputs(text=TEXT), inputs(text=TEXT, image=FILE), "input.image: is new and required."),
    "required_now": (inputs(text={**TEXT, "default": ""}), inputs(text=TEXT), "input.text: is required now."),
    "other_type": (
        inputs(text=TEXT),
        inputs(text={"type": "boolean"}),
        "input.text: takes true or false instead of text.",
    ),
    "number_to_integer": (
        inputs(scale={"type": "number"}),
        inputs(scale={"type": "integer"}),
        "input.scale: takes an integer instead of a number.",
    ),
    "text_to_file": (inputs(image=TEXT), inputs(image=FILE), "input.image: takes a file instead of text."),
    "file_to_text": (inputs(image=FILE), inputs(image=TEXT), "input.image: takes text instead of a file."),
    "any_to_text": (inputs(value={}), inputs(value=TEXT), "input.value: takes text instead of any value."),
    "lower_maximum": (
        inputs(steps=STEPS),
        inputs(steps={**STEPS, "maximum": 4}),
        "input.steps: the maximum is 4 now (before: 50).",
    ),
    "higher_minimum": (
        inputs(steps=STEPS),
        inputs(steps={**STEPS, "minimum": 2}),
        "input.steps: the minimum is 2 now (before: 1).",
    ),
    "excluded_minimum": (
        inputs(steps=STEPS),
        inputs(steps={**STEPS, "exclusiveMinimum": True}),
        "input.steps: the minimum is 1, itself excluded now (before: 1).",
    ),
    "new_length": (
        inputs(text=TEXT),
        inputs(text={**TEXT, "maxLength": 80}),
        "input.text: the greatest length is 80 now (before: none).",
    ),
    "new_pattern": (
        inputs(text=TEXT),
        inputs(text={**TEXT, "pattern": "^a"}),
        "input.text: must match the pattern ^a now.",
    ),
    "new_step": (
        inputs(steps={**STEPS, "multipleOf": 4}),
        inputs(steps={**STEPS, "multipleOf": 8}),
        "input.steps: must be a multiple of 8 now.",
    ),
    "choice_gone": (
        inputs(mood=MOOD),
        inputs(mood={**MOOD, "enum": ["loud"]}),
        'input.mood: no longer takes "soft".',
    ),
    "choices_new": (
        inputs(mood={**TEXT, "default": ""}),
        inputs(mood=MOOD),
        'input.mood: takes only "loud", "soft" now.',
    ),
    "null_gone": (inputs(text=NULLABLE), inputs(text={**TEXT, "default": ""}), "input.text: no longer takes null."),
    "union_member_gone": (
        inputs(value=UNION),
        inputs(value={**TEXT, "default": ""}),
        "input.value: no longer takes an integer.",
    ),
    "items_of_another_type": (
        inputs(tags={"type": "array", "items": TEXT}),
        inputs(tags={"type": "array", "items": {"type": "integer"}}),
        "input.tags[]: takes an integer instead of text.",
    ),
    "member_gone": (
        inputs(box=BOX),
        inputs(box={**BOX, "properties": {"width": {"type": "integer"}}}),
        "input.box: no longer takes height.",
    ),
    "member_needed": (inputs(box=BOX), inputs(box={**BOX, "required": ["width"]}), "input.box: needs width now."),
    "member_narrower": (
        inputs(box=BOX),
        inputs(box={**BOX, "properties": {**SIDES, "width": {"type": "integer", "maximum": 9}}}),
        "input.box.width: the maximum is 9 now (before: none).",
    ),
    "output_of_another_type": (outputs(TEXT), outputs({"type": "object"}), "output: gives an object instead of text."),
    "output_becomes_a_file": (outputs(TEXT), outputs(FILE), "output: gives a file instead of text."),
    "output_may_be_null": (outputs(TEXT), outputs(NULLABLE), "output: may be null now."),
    "output_of_a_new_choice": (
        outputs({**TEXT, "enum": ["cat"]}),
        outputs({**TEXT, "enum": ["cat", "dog"]}),
        'output: may be "dog" now.',
    ),
    "output_member_gone": (
        outputs(BOX),
        outputs({**BOX, "properties": {"width": {"type": "integer"}}}),
        "output: no longer has height.",
    ),
    "output_member_may_lack": (
        outputs({**BOX, "required": ["width"]}),
        outputs(BOX),
        "output: may lack width now.",
    ),
    "output_comes_item_by_item": (
        outputs({"type": "array", "items": FILE}),
        outputs(FILE_ITERATOR),
        "output: comes item by item now.",
    ),
    "output_is_no_longer_one_text": (
        outputs(TEXT_ITERATOR),
        outputs({**TEXT_ITERATOR, "x-cog-array-display": None}),
        "output: its items stand alone now.",
    ),
}


@pytest.mark.parametrize(("before", "after", "sentence"), BREAKING.values(), ids=BREAKING)
def test_what_a_caller_of_the_older_version_would_stumble_over_is_breaking(before, after, sentence):
    assert compare(before, after).breaking == [sentence]


HARMLESS = {
    "new_and_optional": (inputs(text=TEXT), inputs(text=TEXT, steps=STEPS)),
    "new_and_nullable": (inputs(text=TEXT), inputs(text=TEXT, hint=NULLABLE)),
    "no_longer_required": (inputs(text=TEXT), inputs(text={**TEXT, "default": ""})),
    "wider_range": (inputs(steps=STEPS), inputs(steps={**STEPS, "minimum": 0, "maximum": 100})),
    "range_gone": (inputs(steps=STEPS), inputs(steps={"type": "integer", "default": 1})),
    "integer_to_number": (inputs(steps=STEPS), inputs(steps={**STEPS, "type": "number"})),
    "other_default": (inputs(steps=STEPS), inputs(steps={**STEPS, "default": 4})),
    "other_texts": (inputs(text=TEXT), inputs(text={**TEXT, "description": "Say it", "title": "Words"})),
    "new_choice": (inputs(mood=MOOD), inputs(mood={**MOOD, "enum": ["soft", "loud", "mute"]})),
    "choices_to_text": (inputs(mood=MOOD), inputs(mood={**TEXT, "default": ""})),
    "choices_to_range": (
        inputs(steps={"type": "integer", "enum": [1, 2], "default": 1}),
        inputs(steps=STEPS),
    ),
    "null_allowed": (inputs(text={**TEXT, "default": ""}), inputs(text={**NULLABLE, "default": ""})),
    "union_grows": (inputs(value={**TEXT, "default": 1}), inputs(value=UNION)),
    "any_value": (inputs(value=TEXT), inputs(value={})),
    "finer_step": (inputs(steps={**STEPS, "multipleOf": 8}), inputs(steps={**STEPS, "multipleOf": 4})),
    "new_optional_member": (inputs(box={"type": "object", "properties": {}}), inputs(box=BOX)),
    "output_has_more": (outputs({"type": "object", "properties": {}}), outputs(BOX)),
    "output_within_less": (outputs({**TEXT, "enum": ["cat", "dog"]}), outputs({**TEXT, "enum": ["cat"]})),
    "output_never_null": (outputs(NULLABLE), outputs(TEXT)),
    "output_longer": (outputs({**TEXT, "maxLength": 5}), outputs({**TEXT, "maxLength": 50})),
}


@pytest.mark.parametrize(("before", "after"), HARMLESS.values(), ids=HARMLESS)
def test_what_only_gives_more_room_is_a_change_that_breaks_nothing(before, after):
    comparison = compare(before, after)
    assert (comparison.breaking, comparison.is_same) == ([], False)


def test_a_version_is_the_same_as_itself_also_where_an_input_only_moved():
    moved = inputs(text={**TEXT, "x-order": 3})
    assert compare(inputs(text={**TEXT, "x-order": 0}), moved).is_same


def test_choices_are_compared_behind_their_references():
    def document(*choices):
        field = {"allOf": [{"$ref": "#/components/schemas/mood"}], "default": "loud"}
        return schema({"mood": field}, mood={"type": "string", "title": "mood", "enum": list(choices)})

    (change,) = compare(document("loud", "soft"), document("loud")).changed
    assert change.breaking == ('input.mood: no longer takes "soft".',)
    enums = [node and node["enum"] for node in (change.before, change.after)]
    assert enums == [["loud", "soft"], ["loud"]]


def test_true_and_one_are_two_choices():
    before, after = ({"enum": values, "default": 1} for values in ([1, True], [1]))
    assert compare(inputs(value=before), inputs(value=after)).breaking == ["input.value: no longer takes true."]


def test_a_schema_inside_itself_is_compared_to_an_end():
    node = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}}
    documents = [schema({"list": {"$ref": "#/components/schemas/Node"}}, Node=node) for _ in range(2)]
    assert compare(*documents).is_same


def test_inputs_are_in_the_authors_order():
    before, after = (
        inputs(**{n: {**TEXT, "x-order": o, **more} for n, o in (("b", 2), ("c", 1), ("a", 0))})
        for more in ({}, {"title": "New"})
    )
    assert [change.name for change in compare(before, after).changed] == ["a", "c", "b"]


def test_each_change_is_in_its_own_list():
    comparison = compare(inputs(text=TEXT, gone=MOOD), inputs(text={**TEXT, "title": "Words"}, new=STEPS))
    names = [[change.name for change in part] for part in (comparison.added, comparison.removed, comparison.changed)]
    assert names == [["new"], ["gone"], ["text"]]


def test_two_unions_too_large_to_compare_each_with_each_count_as_breaking():
    def union(word):
        return inputs(value={"anyOf": [{"enum": [f"{word}{number}"]} for number in range(300)]})

    assert "input.value: is too large to be compared." in compare(union("a"), union("b")).breaking
    assert compare(union("a"), union("a")).is_same
