"""The schema generator, on tiny models: every row of cog-runtime.md 3.3, the example of 3.2, refusals, a real server.

Most cases run the script's `main` in a fork of the test process: as good as a new interpreter, at a tenth of its time.
The last tests run the script as a build does.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pydantic  # noqa: F401  # so that the forks need not import it, which is most of their time
import pytest

from models_catalog.schemas import check_document
from runner.build_tools import schema_generator

Json = dict[str, Any]

SCRIPT = Path(schema_generator.__file__)
GOLDEN = Path(__file__).parent.parent / "golden" / "openapi_predict_and_train.json"
IMPORTS = """
from typing import *
import enum, os, typing
import cog
from cog import AsyncConcatenateIterator, ConcatenateIterator, File, Input, Path, Secret, concurrent, streaming
"""


def project(folder: Path, code: str, cog_yaml: str = "run: run.py:run\n", **files: str) -> Path:
    folder = folder / "project"
    folder.mkdir()
    texts = {"cog.yaml": cog_yaml, "run.py": IMPORTS + dedent(code)} | {
        f"{name}.py": text for name, text in files.items()
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return folder


def run_in_fork(folder: Path) -> tuple[int, str, Json]:
    """Exit code, message and answer of the script's `main`."""
    out, messages = folder.parent / "out.json", folder.parent / "messages"
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.dup2(os.open(messages, os.O_WRONLY | os.O_CREAT), 2)
            sys.argv = ["schema_generator", str(folder), "--out", str(out)]
            code = schema_generator.main()
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, messages.read_text(), json.loads(out.read_text()) if out.exists() else {}


def answer(folder: Path) -> Json:
    status, message, found = run_in_fork(folder)
    assert (status, message) == (0, "")
    check_document(found["schema"])
    return found


def component(folder: Path, name: str) -> Json:
    found: Json = answer(folder)["schema"]["components"]["schemas"][name]
    return found


def refusal(folder: Path) -> str:
    status, message, found = run_in_fork(folder)
    assert (status, found) == (2, {})
    return message


# --- inputs ----------------------------------------------------------------------------------------------------

URI: Json = {"type": "string", "format": "uri"}
SECRET: Json = {"type": "string", "format": "password", "writeOnly": True, "x-cog-secret": True}
CLASSES = """
class Options(TypedDict):
    a: int
class Colour(str, enum.Enum):
    RED = "red"
    BLUE = "blue"
"""


@pytest.mark.parametrize(
    ("parameter", "schema", "required"),
    [
        ("str", {"type": "string"}, True),
        ("int", {"type": "integer"}, True),
        ("float", {"type": "number"}, True),
        ("bool", {"type": "boolean"}, True),
        ("Path", URI, True),
        ("File", URI, True),
        ("os.PathLike", URI, True),
        ("Secret", SECRET, True),
        ("dict", {"type": "object"}, True),
        ("Dict[str, int]", {"type": "object"}, True),
        ("Any", {"type": "object"}, True),
        ("Options", {"type": "object"}, True),
        ("Annotated[Colour, cog.Opaque]", {"type": "object"}, True),
        ("Annotated[int, 'a note']", {"type": "integer"}, True),
        ("list[str]", {"type": "array", "items": {"type": "string"}}, True),
        ("List[Path]", {"type": "array", "items": URI}, True),
        ("list[Secret]", {"type": "array", "items": SECRET}, True),
        ("list", {"type": "array", "items": {"type": "object"}}, True),
        ("'int'", {"type": "integer"}, True),
        # defaults
        ("int = 5", {"type": "integer", "default": 5}, False),
        ("int = Input(default=5)", {"type": "integer", "default": 5}, False),
        ("int = Input(5)", {"type": "integer", "default": 5}, False),
        ("bool = False", {"type": "boolean", "default": False}, False),
        ("list[int] = Input(default=[])", {"type": "array", "items": {"type": "integer"}, "default": []}, False),
        ("Path = Input(default='https://a/b')", URI | {"default": "https://a/b"}, False),
        ("File = 'https://a/b'", URI | {"default": "https://a/b"}, False),
        ("dict = Input(default={'a': 1})", {"type": "object", "default": {"a": 1}}, False),
        ("int = Input()", {"type": "integer"}, True),
        ("int = Input(default=None)", {"type": "integer"}, True),
        ("int = None", {"type": "integer"}, True),
        ("Path = Input(default=None)", URI, True),
        ("list[int] = Input(default=None)", {"type": "array", "items": {"type": "integer"}}, True),
        ("Secret = Input(default=None)", SECRET | {"default": None, "nullable": True}, False),
        ("Secret = Input()", SECRET, True),
        ("Optional[int]", {"type": "integer", "nullable": True}, False),
        ("Optional[int] = Input()", {"type": "integer", "nullable": True}, False),
        ("int | None = Input(description='d')", {"type": "integer", "nullable": True, "description": "d"}, False),
        ("Optional[int] = Input(default=None)", {"type": "integer", "default": None, "nullable": True}, False),
        ("Optional[int] = None", {"type": "integer", "default": None, "nullable": True}, False),
        ("Optional[int] = 3", {"type": "integer", "default": 3, "nullable": True}, False),
        ("Optional[Path]", URI | {"nullable": True}, False),
        ("Optional[list[int]]", {"type": "array", "items": {"type": "integer"}, "nullable": True}, False),
        # unions
        ("str | float", {"anyOf": [{"type": "string"}, {"type": "number"}]}, True),
        (
            "Union[str, list[int]]",
            {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer"}}]},
            True,
        ),
        ("str | float = 'x'", {"anyOf": [{"type": "string"}, {"type": "number"}], "default": "x"}, False),
        (
            "str | float | None",
            {"anyOf": [{"type": "string", "nullable": True}, {"type": "number", "nullable": True}], "nullable": True},
            True,
        ),
        (
            "str | float | None = None",
            {
                "anyOf": [{"type": "string", "nullable": True}, {"type": "number", "nullable": True}],
                "nullable": True,
                "default": None,
            },
            False,
        ),
        # constraints and words
        ("int = Input(ge=1, le=5)", {"type": "integer", "minimum": 1, "maximum": 5}, True),
        ("float = Input(ge=0.0, le=0.5)", {"type": "number", "minimum": 0, "maximum": 0.5}, True),
        (
            "str = Input(min_length=1, max_length=9, regex='^a')",
            {"type": "string", "minLength": 1, "maxLength": 9, "pattern": "^a"},
            True,
        ),
        ("str = Input(deprecated=True)", {"type": "string", "deprecated": True}, True),
        ("str = Input(deprecated=False)", {"type": "string"}, True),
        ("Path = Input(accept='image/*')", URI | {"x-cog-accept": "image/*"}, True),
        ("list[Path] = Input(accept='.bin')", {"type": "array", "items": URI, "x-cog-accept": ".bin"}, True),
    ],
)
def test_an_input_has_its_fragment(parameter: str, schema: Json, required: bool, tmp_path: Path) -> None:
    folder = project(tmp_path, CLASSES + f"\ndef run(some_value: {parameter}) -> str: ...")
    found = component(folder, "Input")
    assert found["properties"] == {"some_value": {"title": "Some Value", "x-order": 0, **schema}}
    assert found.get("required", []) == (["some_value"] if required else [])


@pytest.mark.parametrize(
    ("parameter", "schema", "enum", "required"),
    [
        ("str = Input(choices=['a', 'b'])", {}, {"enum": ["a", "b"], "type": "string"}, True),
        (
            "str = Input(choices=['a', 'b'], default='a')",
            {"default": "a"},
            {"enum": ["a", "b"], "type": "string"},
            False,
        ),
        (
            "int = Input(choices=[1, 2], description='d')",
            {"description": "d"},
            {"enum": [1, 2], "type": "integer"},
            True,
        ),
        (
            "str = Input(choices=list(Colour), default=Colour.RED)",
            {"default": "red"},
            {"enum": ["red", "blue"], "type": "string"},
            False,
        ),
        (
            "Optional[str] = Input(choices=['a', 'b'])",
            {"nullable": True},
            {"enum": ["a", "b"], "type": "string"},
            False,
        ),
    ],
)
def test_choices_are_a_component_of_their_own(
    parameter: str, schema: Json, enum: Json, required: bool, tmp_path: Path
) -> None:
    folder = project(tmp_path, CLASSES + f"\ndef run(mood: {parameter}) -> str: ...")
    schemas = answer(folder)["schema"]["components"]["schemas"]
    reference = {"allOf": [{"$ref": "#/components/schemas/mood"}], "x-order": 0}
    assert schemas["Input"]["properties"]["mood"] == reference | schema
    assert schemas["mood"] == {"title": "mood", "description": "An enumeration."} | enum
    assert ("required" in schemas["Input"]) == required


def test_each_item_of_a_list_with_choices_is_one_of_them(tmp_path: Path) -> None:
    folder = project(tmp_path, "def run(moods: list[str] = Input(choices=['a', 'b'])) -> str: ...")
    (found,) = component(folder, "Input")["properties"].values()
    assert (found["type"], found["items"]) == ("array", {"$ref": "#/components/schemas/moods"})


def test_a_type_with_a_coder_is_an_object(tmp_path: Path) -> None:
    code = """
    from cog.coder import Coder
    class Odd: ...
    class OddCoder(Coder):
        @staticmethod
        def factory(tpe):
            return OddCoder() if tpe is Odd else None
    def run(a: Odd) -> Odd: ...
    """
    schemas = answer(project(tmp_path, code))["schema"]["components"]["schemas"]
    assert schemas["Input"]["properties"]["a"]["type"] == schemas["Output"]["type"] == "object"


@pytest.mark.parametrize(("name", "title"), [("api_key", "Api Key"), ("imageURL", "ImageURL"), ("x", "X")])
def test_titles_are_made_from_names(name: str, title: str, tmp_path: Path) -> None:
    found = component(project(tmp_path, f"def run({name}: str) -> str: ..."), "Input")
    assert found["properties"][name]["title"] == title


def test_an_input_made_outside_of_the_signature_still_tells_its_default(tmp_path: Path) -> None:
    code = "SEED = Input(default=None)\nFREE = Input()\n"
    code += "def run(a: Optional[int] = SEED, b: Optional[int] = FREE) -> str: ..."
    found = component(project(tmp_path, code), "Input")["properties"]
    assert "default" in found["a"] and "default" not in found["b"]


# --- outputs ---------------------------------------------------------------------------------------------------

MODELS = """
from pydantic import BaseModel, Field
class Point(cog.BaseModel):
    x_value: int
    note: Optional[str]
    label: str = "none"
    free: Any = None
class Box(cog.BaseModel):
    corner: Point
    points: list[Point]
    files: dict[str, cog.Path]
class Tree(cog.BaseModel):
    name: str
    children: "list[Tree]"
class Typed(TypedDict):
    a: int
    b: NotRequired[str]
    c: Optional[int]
class Dantic(BaseModel):
    a: int
    b: str = "x"
    c: Optional[int]
    d: list[int] = Field(default_factory=list)
    e: Annotated[int, Field(gt=0)]
"""
POINT: Json = {
    "type": "object",
    "properties": {
        "x_value": {"title": "X Value", "type": "integer"},
        "label": {"title": "Label", "type": "string"},
        "note": {"title": "Note", "type": "string", "nullable": True},
        "free": {"title": "Free", "type": "object"},
    },
    "required": ["x_value"],
}
ITERATOR: Json = {"type": "array", "x-cog-array-type": "iterator"}


@pytest.mark.parametrize(
    ("output", "schema"),
    [
        ("str", {"type": "string"}),
        ("int", {"type": "integer"}),
        ("float", {"type": "number"}),
        ("bool", {"type": "boolean"}),
        ("Path", URI),
        ("File", URI),
        ("Secret", SECRET),
        ("dict", {"type": "object"}),
        ("Dict", {"type": "object"}),
        ("Any", {"type": "object"}),
        ("dict[str, int]", {"type": "object", "additionalProperties": {"type": "integer"}}),
        (
            "dict[str, list[Dict[str, Path]]]",
            {
                "type": "object",
                "additionalProperties": {
                    "type": "array",
                    "items": {"type": "object", "additionalProperties": URI},
                },
            },
        ),
        ("list", {"type": "array", "items": {"type": "object"}}),
        ("List", {"type": "array", "items": {"type": "object"}}),
        ("list[Path]", {"type": "array", "items": URI}),
        ("List[List[int]]", {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}),
        ("Iterator[str]", ITERATOR | {"items": {"type": "string"}}),
        ("Iterator[Path]", ITERATOR | {"items": URI}),
        ("Iterator[Point]", ITERATOR | {"items": POINT}),
        ("AsyncIterator[int]", ITERATOR | {"items": {"type": "integer"}}),
        ("ConcatenateIterator[str]", ITERATOR | {"items": {"type": "string"}, "x-cog-array-display": "concatenate"}),
        (
            "AsyncConcatenateIterator[str]",
            ITERATOR | {"items": {"type": "string"}, "x-cog-array-display": "concatenate"},
        ),
        ("Point", POINT),
        ("'Point'", POINT),
        ("list[Point]", {"type": "array", "items": POINT}),
        (
            "Box",
            {
                "type": "object",
                "properties": {
                    "corner": POINT | {"title": "Corner"},
                    "points": {"title": "Points", "type": "array", "items": POINT},
                    "files": {"title": "Files", "type": "object", "additionalProperties": URI},
                },
                "required": ["corner", "points", "files"],
            },
        ),
        (
            "Tree",
            {
                "type": "object",
                "properties": {
                    "name": {"title": "Name", "type": "string"},
                    "children": {"title": "Children", "type": "array", "items": {"type": "object"}},
                },
                "required": ["name", "children"],
            },
        ),
        (
            "Typed",
            {
                "type": "object",
                "properties": {
                    "a": {"title": "A", "type": "integer"},
                    "b": {"title": "B", "type": "string"},
                    "c": {"title": "C", "type": "integer", "nullable": True},
                },
                "required": ["a", "c"],
            },
        ),
        (
            "Dantic",
            {
                "type": "object",
                "properties": {
                    "a": {"title": "A", "type": "integer"},
                    "b": {"title": "B", "type": "string"},
                    "c": {"title": "C", "type": "integer", "nullable": True},
                    "d": {"title": "D", "type": "array", "items": {"type": "integer"}},
                    "e": {"title": "E", "type": "integer"},
                },
                "required": ["a", "e"],
            },
        ),
        ("Annotated[Point, cog.Opaque]", {"type": "object"}),
        ("Annotated[list[Point], cog.Opaque]", {"type": "array", "items": {"type": "object"}}),
    ],
)
def test_an_output_has_its_fragment(output: str, schema: Json, tmp_path: Path) -> None:
    found = component(project(tmp_path, MODELS + f"\ndef run() -> {output}: ..."), "Output")
    assert found == {"title": "Output"} | schema


# --- refusals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        ("a) -> str", "parameter 'a': every parameter needs a type annotation"),
        ("*a: str) -> str", "must not have *args"),
        ("**a: str) -> str", "must not have **kwargs"),
        ("*, a: str) -> str", "must not have keyword-only args"),
        ("a: int = Input(min_length=1)) -> str", "parameter 'a': incompatible input type for min_length"),
        ("a: str = Input(ge=1)) -> str", "parameter 'a': incompatible input type for ge/le"),
        ("a: int = Input(ge=1, default=0)) -> str", "parameter 'a': invalid default"),
        ("a: int = Input(regex='x')) -> str", "parameter 'a': incompatible input type for regex"),
        ("a: str = Input(regex='x', default='y')) -> str", "parameter 'a': default not a regex match"),
        ("a: str = Input(regex='(')) -> str", "parameter 'a': missing )"),
        ("a: str = Input(choices=['x'])) -> str", "parameter 'a': choices=['x'] must have >= 2 elements"),
        ("a: str = Input(choices=['x', 1])) -> str", "parameter 'a': not all choices have the same type"),
        ("a: int = Input(choices=[1, 2], ge=1)) -> str", "mutually exclusive"),
        ("a: float = Input(choices=[1.5, 2.5])) -> str", "incompatible input type for choices"),
        ("a: str = Input(accept='image/*')) -> str", "parameter 'a': accept is only for Path and File"),
        ("a: str | int = Input(ge=1)) -> str", "incompatible input type for ge/le"),
        ("a: list[list[int]]) -> str", "parameter 'a': invalid input field a: List cannot have nested type"),
        ("a: list[Optional[int]]) -> str", "List cannot have nested type"),
        ("a: tuple[int, int]) -> str", "unsupported Cog type"),
        ("a: set[int]) -> str", "unsupported Cog type"),
        ("a: str | Path) -> str", "unsupported union member Path"),
        ("a: Any = Input(default=object())) -> str", "the default cannot be written as JSON"),
        ("a: float = float('nan')) -> str", "parameter 'a':"),
        ("a: 'Nothing') -> str", "an annotation cannot be resolved: NameError: name 'Nothing' is not defined"),
        (") -> None", "must have a return type annotation"),
        (")", "must have a return type annotation"),
        (") -> Optional[str]", "return type: Optional and other unions are not allowed here"),
        (") -> str | int", "return type: Optional and other unions"),
        (") -> list[Optional[int]]", "return type: Optional and other unions"),
        (") -> tuple[int]", "is not supported as an output"),
        (") -> object", "object is not supported as an output"),
        (") -> Iterator", "an iterator needs the type of its items"),
        (") -> list[Iterator[str]]", "is not supported as an output"),
        (") -> ConcatenateIterator[int]", "must be of str"),
    ],
)
def test_a_signature_that_cannot_be_described_is_refused_with_its_place(
    signature: str, message: str, tmp_path: Path
) -> None:
    said = refusal(project(tmp_path, f"\n\ndef run({signature}: ..."))
    assert message in said
    assert said.startswith("run.py:8: ")


def test_the_line_is_the_parameters_own(tmp_path: Path) -> None:
    code = "@cog.streaming\ndef run(\n    a: str,\n    b: str = Input(ge=1),\n) -> str: ..."
    assert refusal(project(tmp_path, code)).startswith("run.py:9: parameter 'b': ")


@pytest.mark.parametrize(
    "name", ["Input", "Output", "Status", "PredictionRequest", "ValidationError", "TrainingInput", "TrainingResponse"]
)
def test_choices_may_not_be_called_like_a_component(name: str, tmp_path: Path) -> None:
    code = f"def run({name}: str = cog.Input(choices=['a', 'b'])) -> str: ..."
    assert f"parameter {name!r}: a parameter with choices may not have this name" in refusal(project(tmp_path, code))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import torchxyz", "run.py:6: importing the model failed: ModuleNotFoundError: No module named 'torchxyz'"),
        ("def run(:", "run.py:6: importing the model failed: SyntaxError"),
        ("import sys\nsys.exit(0)", "run.py:7: importing the model failed: SystemExit: 0"),
        ("a = Input(default_factory=list)", "run.py:6: importing the model failed: TypeError: default_factory"),
        ("print('noise')\nos.write(2, b'noise')", "run.py: there is no run in it.\n"),
        ("run = 5", "run.py: run is neither a class nor a function."),
        ("class run:\n    pass", "run.py:run: run or predict method not found"),
        (
            "class run:\n    def run(self) -> str: ...\n    def predict(self) -> str: ...",
            "must define either run() or predict(), not both",
        ),
        ("class run:\n    def setup(self, x): ...\n    def run(self) -> str: ...", "unexpected setup() arguments: x"),
        ("class run:\n    def run() -> str: ...", "run.py:7: run() must have 'self' as first argument"),
        ("@streaming\ndef run() -> str: ...", "run.py:6: @streaming needs an iterator as return type"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_refused_with_its_place(code: str, message: str, tmp_path: Path) -> None:
    said = refusal(project(tmp_path, code))
    assert message in said
    assert "noise" not in said


def test_a_failure_in_another_file_of_the_project_names_that_file(tmp_path: Path) -> None:
    folder = project(tmp_path, "from parts import broken", parts="1 / 0\n")
    assert refusal(folder).startswith("parts.py:1: importing the model failed: ZeroDivisionError")


def test_a_missing_file_or_method_is_named(tmp_path: Path) -> None:
    assert "gone.py: there is no such Python file" in refusal(project(tmp_path, "", "run: gone.py:Runner\n"))


def test_a_class_without_train_cannot_train(tmp_path: Path) -> None:
    assert "the class has no method train" in refusal(project(tmp_path, "class A: ...", "train: run.py:A\n"))


# --- streaming, concurrency, training --------------------------------------------------------------------------


@pytest.mark.parametrize("decorator", ["@streaming", "@cog.streaming()", "@cog.concurrent\n@streaming", ""])
def test_only_a_marked_model_streams(decorator: str, tmp_path: Path) -> None:
    code = f"{decorator}\ndef run(a: str) -> ConcatenateIterator[str]: ..."
    post = answer(project(tmp_path, code))["schema"]["paths"]["/predictions"]["post"]
    assert ("x-cog-streaming" in post) == bool(decorator)


@pytest.mark.parametrize(
    ("code", "cog_yaml", "most", "is_async"),
    [
        ("def run() -> str: ...", "", 1, False),
        ("async def run() -> str: ...", "", 1, True),
        ("@concurrent(max=4)\nasync def run() -> str: ...", "", 4, True),
        ("@concurrent(max=4)\nasync def run() -> str: ...", "concurrency: {max: 2}", 2, True),
        ("async def run() -> AsyncIterator[str]:\n    yield ''", "concurrency: {max: 3}", 3, True),
    ],
)
def test_the_builder_learns_how_many_run_at_once(
    code: str, cog_yaml: str, most: int, is_async: bool, tmp_path: Path
) -> None:
    found = answer(project(tmp_path, code, f"run: run.py:run\n{cog_yaml}\n"))
    assert (found["max_concurrency"], found["is_async"]) == (most, is_async)


def test_concurrency_needs_an_async_method(tmp_path: Path) -> None:
    folder = project(tmp_path, "def run() -> str: ...", "run: run.py:run\nconcurrency: {max: 2}\n")
    assert "run.py:6: a concurrency of 2 needs an async method" in refusal(folder)


def test_a_model_that_only_trains_has_only_the_training_parts(tmp_path: Path) -> None:
    code = "class Trainer:\n    def train(self, n: int) -> Path: ..."
    document = answer(project(tmp_path, code, "train: run.py:Trainer\n"))["schema"]
    assert document["components"]["schemas"]["TrainingInput"]["title"] == "TrainingInput"
    assert document["components"]["schemas"]["TrainingOutput"] == {"title": "Output"} | URI
    assert "Input" not in document["components"]["schemas"] and "/predictions" not in document["paths"]


@pytest.mark.parametrize(("choices", "agrees"), [("['a', 'b']", True), ("['a', 'c']", False)])
def test_predict_and_train_may_share_choices_only_if_they_agree(choices: str, agrees: bool, tmp_path: Path) -> None:
    code = f"""
    def run(mood: str = Input(choices=['a', 'b'])) -> str: ...
    def train(mood: str = Input(choices={choices})) -> Path: ...
    """
    folder = project(tmp_path, code, "run: run.py:run\ntrain: run.py:train\n")
    if agrees:
        answer(folder)
    else:
        assert "parameter 'mood' with choices, but not the same" in refusal(folder)


# --- as a build runs it ----------------------------------------------------------------------------------------

EXAMPLE = """
from typing import Optional
from cog import BaseModel, BaseRunner, ConcatenateIterator, Input, Path, Secret, streaming

print("noise at import")

class Runner(BaseRunner):
    @streaming
    def run(
        self,
        prompt: str = Input(description="Text to continue"),
        max_tokens: int = Input(default=128, ge=1, le=4096, description="Upper bound on new tokens"),
        temperature: float = Input(default=0.7, ge=0, le=5),
        style: str = Input(default="plain", choices=["plain", "poem"]),
        image: Optional[Path] = Input(description="Optional picture", accept="image/*"),
        api_key: Secret = Input(default=None),
        stop: list[str] = Input(default=[]),
        seed: Optional[int] = Input(default=None),
    ) -> ConcatenateIterator[str]:
        yield from prompt.split()

class Trained(BaseModel):
    weights: Path
    loss: Optional[float]

def train(
    data: Path = Input(description="Zip of examples"),
    epochs: int = Input(default=3, ge=1),
) -> Trained: ...
"""


def example(folder: Path) -> Path:
    return project(folder, EXAMPLE, "run: run.py:Runner\ntrain: run.py:train\n")


def run_script(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(folder), "--out", str(folder.parent / "out.json")]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


def test_the_full_example_comes_out_as_specified(tmp_path: Path) -> None:
    done = run_script(example(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["schema"] == json.loads(GOLDEN.read_text())
    assert (found["max_concurrency"], found["is_async"]) == (1, False)


def test_a_refusal_exits_with_2_and_leaves_no_file(tmp_path: Path) -> None:
    done = run_script(project(tmp_path, "import nothing_like_this"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "nothing_like_this" in done.stderr
    assert not (tmp_path / "out.json").exists()


def test_a_thread_of_the_model_does_not_keep_the_build_waiting(tmp_path: Path) -> None:
    code = "import threading\nthreading.Thread(target=threading.Event().wait).start()\ndef run() -> str: ..."
    assert run_script(project(tmp_path, code)).returncode == 0


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a real coglet that serves the project."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "PORT": str(port),
        "COG_PREDICT_TYPE_STUB": "run.py:Runner",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    command = [sys.executable, "-m", "cog.server.http", "--host", "127.0.0.1"]
    log = (folder.parent / "server.log").open("wb")
    server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        _await_ready(address, server)
        yield address
    finally:
        server.terminate()
        server.wait(10)
        log.close()


def _await_ready(address: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if request(f"{address}/health-check")[1]["status"] == "READY":
                return
        except urllib.error.URLError:
            pass
        time.sleep(0.05)
    raise AssertionError("the server did not become ready")


def request(url: str, body: Json | None = None) -> tuple[int, Json]:
    data = json.dumps(body).encode() if body is not None else None
    asked = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(asked, timeout=15) as answered:
            return answered.status, json.load(answered)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_real_server_serves_the_document_and_judges_inputs_by_it(tmp_path: Path) -> None:
    folder = example(tmp_path)
    assert run_script(folder).returncode == 0
    document = json.loads((tmp_path / "out.json").read_text())["schema"]
    (folder / ".cog").mkdir()
    (folder / ".cog" / "openapi_schema.json").write_text(json.dumps(document))
    with served(folder) as address:
        assert request(f"{address}/openapi.json") == (200, document)
        status, refused = request(f"{address}/predictions", {"input": {"max_tokens": 0, "style": "prose"}})
        assert status == 422
        assert {(one["loc"][-1], one["msg"]) for one in refused["detail"]} == {
            ("prompt", "Field required"),
            ("max_tokens", "0 is less than the minimum of 1"),
            ("style", '"prose" is not one of ["plain","poem"]'),
        }
        status, done = request(f"{address}/predictions", {"input": {"prompt": "one two"}})
        assert (status, done["output"]) == (200, ["one", "two"])
