"""Makes a model's OpenAPI document by importing its code: the step of a build that runs a stranger's Python.

Stand-alone: run by the interpreter of the model's own environment (Python 3.10+, with `cog` and so `yaml`), in a
sandbox without network and with limits of time and memory, as

    python schema_generator.py PROJECT_FOLDER --out FILE

Writes {"schema": …, "max_concurrency": n, "is_async": bool} to FILE, or exits with 2 and one message that names file,
line and parameter.  The file's reader must treat it as coming from the model.  Source: cog-runtime.md 3.2, 3.3, 3.5.
"""

import argparse
import ast
import collections.abc
import contextlib
import dataclasses
import importlib.util
import inspect
import json
import os
import re
import sys
import textwrap
import traceback
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

import cog  # type: ignore[import-untyped]
import cog.input  # type: ignore[import-untyped]
import yaml
from cog import _adt as adt
from cog import _inspector as inspector
from cog.coder import Coder  # type: ignore[import-untyped]
from cog.types import AsyncConcatenateIterator, ConcatenateIterator  # type: ignore[import-untyped]

Json = dict[str, Any]

_MISSING = object()
_STREAMING_MARK = "__schema_generator_streaming__"
_OPTIONAL = (adt.Repetition.OPTIONAL, adt.Repetition.OPTIONAL_REPEATED)
_REPEATED = (adt.Repetition.REPEATED, adt.Repetition.OPTIONAL_REPEATED)
_FILES = (adt.PrimitiveType.PATH, adt.PrimitiveType.FILE)
_REFERENCE = "#/components/schemas/"


class Refused(Exception):
    """The model cannot have a schema; the message is for its author."""


# --- the SDK, made to tell what it hides --------------------------------------------------------------------------

_explicit_defaults: dict[
    int, object
] = {}  # id of a FieldInfo whose call said `default=` -> it, kept so the id stays its


def patch_sdk() -> None:
    """Before the model is imported: `cog.streaming` leaves a mark, `cog.Input` remembers whether `default=` was given.

    The real ones lose both, and `Input()` means something else than `Input(default=None)`.  Source: 3.5 (2 and 7).
    """
    real_input = cog.Input

    def streaming(fn: Callable[..., Any] | None = None) -> Any:
        def mark(inner: Callable[..., Any]) -> Callable[..., Any]:
            setattr(inner, _STREAMING_MARK, True)
            return inner

        return mark if fn is None else mark(fn)

    def remembering_input(*args: Any, **keywords: Any) -> Any:
        info = real_input(*args, **keywords)
        if "default" in keywords:
            _explicit_defaults[id(info)] = info
        return info

    cog.streaming = streaming
    cog.Input = remembering_input
    cog.input.Input = remembering_input


# --- finding the callable -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """What predicts or trains. `function`: the author's own, without decorators; `called`: as the server finds it."""

    function: Callable[..., Any]
    called: Callable[..., Any]
    is_method: bool
    project: Path

    @property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.called) or inspect.isasyncgenfunction(self.called)

    @property
    def is_streaming(self) -> bool:
        return any(hasattr(function, _STREAMING_MARK) for function in (self.called, self.function))

    def place(self, parameter: str | None = None) -> str:
        """`run.py:12`, at the parameter's own line where the source has it."""
        code = self.function.__code__
        line = (parameter and _parameter_line(self.function, parameter)) or code.co_firstlineno
        return f"{_shown_path(code.co_filename, self.project)}:{line}"


def _parameter_line(function: Callable[..., Any], name: str) -> int | None:
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, SyntaxError):
        return None
    found = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.arg) and node.arg == name]
    return first + found[0] - 1 if found else None


def _shown_path(file: str, project: Path) -> str:
    path = Path(file)
    return str(path.relative_to(project)) if path.is_relative_to(project) else str(path)


def find_target(project: Path, reference: str, *, trains: bool) -> Target:
    """Import the referenced file and pick its class's method, or its function."""
    file, _, name = reference.rpartition(":")
    module = _load(project, file)
    found = getattr(module, name, None)
    if found is None:
        raise Refused(f"{file}: there is no {name} in it.")
    _register_coders(module)
    called, method = _method_of(found, reference, trains=trains) if inspect.isclass(found) else (found, name)
    if not inspect.isfunction(called):
        raise Refused(f"{file}: {name} is neither a class nor a function.")
    try:
        function = inspector._unwrap(called)
        target = Target(function, called, is_method=inspect.isclass(found), project=project)
        inspector._validate_run_or_predict(function, method, target.is_method)
    except ValueError as error:
        raise Refused(f"{_shown_path(called.__code__.co_filename, project)}:{_first_line(called)}: {error}") from error
    return target


def _register_coders(module: ModuleType) -> None:
    """As the SDK's own search, but over what is loaded: some libraries import all they have when asked for all."""
    for holder in [module, *filter(inspect.ismodule, vars(module).values())]:
        for found in list(vars(holder).values()):
            if inspector._is_coder(found):
                Coder.register(found)


def _first_line(function: Callable[..., Any]) -> int:
    return function.__code__.co_firstlineno


def _method_of(cls: type[Any], reference: str, *, trains: bool) -> tuple[Callable[..., Any], str]:
    try:
        if hasattr(cls, "setup"):
            inspector._validate_setup(inspector._unwrap(cls.setup))
        if not trains:
            name, method = inspector._selected_predict_method(cls, reference)
            return method, name
    except ValueError as error:
        raise Refused(f"{reference}: {error}") from error
    if not hasattr(cls, "train"):
        raise Refused(f"{reference}: the class has no method train.")
    return cls.train, "train"


_loaded: dict[str, ModuleType] = {}


def _load(project: Path, file: str) -> ModuleType:
    """The file as a module of its own name, as the server loads it."""
    if file in _loaded:
        return _loaded[file]
    path = project / file
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise Refused(f"{file}: there is no such Python file in the project.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:  # a model's top level may do anything, `sys.exit()` too
        raise Refused(_import_failure(error, project, file)) from error
    _loaded[file] = module
    return module


def _import_failure(error: BaseException, project: Path, file: str) -> str:
    place = file
    for frame in traceback.extract_tb(error.__traceback__):
        if Path(frame.filename).is_relative_to(project):
            place = f"{_shown_path(frame.filename, project)}:{frame.lineno}"
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_relative_to(project):
        place = f"{_shown_path(error.filename, project)}:{error.lineno}"
    return f"{place}: importing the model failed: {type(error).__name__}: {error}"


# --- inputs -------------------------------------------------------------------------------------------------------


def input_component(target: Target, title: str) -> tuple[Json, Json]:
    """The Input component and the components of its choices. Source: 3.3, inputs."""
    spec = inspect.getfullargspec(target.function)
    names = spec.args[1:] if target.is_method else spec.args
    hints = _hints(target)
    defaults = [_MISSING] * (len(names) - len(spec.defaults or ())) + list(spec.defaults or ())
    properties: Json = {}
    required: list[str] = []
    enums: Json = {}
    for order, (name, default) in enumerate(zip(names, defaults, strict=True)):
        try:
            if name not in hints:
                raise ValueError("every parameter needs a type annotation")
            properties[name], is_required, enum = _input(order, name, hints[name], default)
        except (ValueError, TypeError, re.error) as error:
            raise Refused(f"{target.place(name)}: parameter {name!r}: {error}") from error
        if is_required:
            required.append(name)
        if enum is not None:
            enums[name] = enum
    component: Json = {"title": title, "type": "object", "properties": properties}
    if required:
        component["required"] = required
    return component, enums


def _hints(target: Target) -> Json:
    try:
        hints = typing.get_type_hints(target.function, include_extras=True)
    except Exception as error:  # annotations are code of the model: whatever evaluating them raises is its fault
        raise Refused(f"{target.place()}: an annotation cannot be resolved: {type(error).__name__}: {error}") from error
    return {name: inspector._strip_non_opaque_annotated(hint) for name, hint in hints.items()}


def _input(order: int, name: str, hint: Any, default: object) -> tuple[Json, bool, Json | None]:
    """One property, whether it is required, and the component of its choices if it has any."""
    info = default if isinstance(default, cog.input.FieldInfo) else None
    field = inspector._create_input_field(order, name, hint, _for_the_sdk(hint, default))
    primitive, repetition = field.type.primitive, field.type.repetition
    value = default
    if info is not None:
        value = info.default if info.default is not None or id(info) in _explicit_defaults else _MISSING
    optional_secret = primitive is adt.PrimitiveType.SECRET and value is None and repetition not in _REPEATED
    nullable = repetition in _OPTIONAL or optional_secret
    has_default = value is not _MISSING and (value is not None or nullable)
    is_union = field.type.union_variants is not None

    shape, enum = _shape(name, field)
    if nullable and is_union:
        shape["anyOf"] = [member | {"nullable": True} for member in shape["anyOf"]]
    found: Json = {"x-order": order, **shape}
    if has_default:
        found["default"] = _default_as_json(value, field)
    if nullable:
        found["nullable"] = True
    if info is not None:
        found |= _facts(info, primitive, is_union=is_union)
    return found, not has_default and (is_union or repetition not in _OPTIONAL), enum


def _for_the_sdk(hint: Any, default: object) -> object:
    # It would open a default of File as an address, and wrap one of Path or Secret; only the rest is to be checked.
    if default is _MISSING:
        return None
    if adt.FieldType.from_type(hint).primitive in (*_FILES, adt.PrimitiveType.SECRET):
        return dataclasses.replace(default, default=None) if isinstance(default, cog.input.FieldInfo) else None
    return default


def _shape(name: str, field: adt.InputField) -> tuple[Json, Json | None]:
    if field.choices is None:
        return {"title": title_of(name), **field.type.json_type()}, None
    reference = {"$ref": _REFERENCE + name}
    enum = {
        "title": name,
        "description": "An enumeration.",
        "enum": list(field.choices),
        "type": field.type.primitive.json_type()["type"],
    }
    if field.type.repetition in _REPEATED:
        # Each item is one of the choices; an allOf here would ask the list itself to be one.
        return {"title": title_of(name), "type": "array", "items": reference}, enum
    return {"allOf": [reference]}, enum


def _facts(info: cog.input.FieldInfo, primitive: adt.PrimitiveType, *, is_union: bool) -> Json:
    accept = getattr(info, "accept", None)  # cog before 0.22 has none
    if accept is not None and (is_union or primitive not in _FILES):
        raise ValueError("accept is only for Path and File")
    if info.regex is not None:
        re.compile(info.regex)
    facts = {
        "description": info.description,
        "minimum": _whole(info.ge),
        "maximum": _whole(info.le),
        "minLength": info.min_length,
        "maxLength": info.max_length,
        "pattern": info.regex,
        "deprecated": True if info.deprecated else None,
        "x-cog-accept": accept,
    }
    return {key: value for key, value in facts.items() if value is not None}


def _whole(number: float | None) -> float | int | None:
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _default_as_json(value: object, field: adt.InputField) -> Any:
    if value is None:
        return None
    if field.type.primitive in (*_FILES, adt.PrimitiveType.SECRET):
        found: Any = [_plain(item) for item in value] if isinstance(value, list | tuple) else _plain(value)
    else:
        found = field.default
    try:
        json.dumps(found, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the default cannot be written as JSON: {error}") from error
    return found


def _plain(value: object) -> str:
    if isinstance(value, cog.Secret):
        return value.get_secret_value() or ""
    return str(value.value if isinstance(value, Enum) else value)


def title_of(name: str) -> str:
    """`api_key` → `Api Key`, `imageURL` → `ImageURL`."""
    return " ".join(part[:1].upper() + part[1:] for part in name.split("_") if part)


# --- outputs ------------------------------------------------------------------------------------------------------


def output_component(target: Target) -> Json:
    """The Output component; its title is `Output` for trainings too. Source: 3.3, outputs."""
    hint = _hints(target).get("return")
    try:
        output = {"title": "Output", **_output(hint, (), is_whole=True)}
    except (ValueError, TypeError) as error:
        raise Refused(f"{target.place()}: return type: {error}") from error
    if target.is_streaming and output.get("x-cog-array-type") != "iterator":
        raise Refused(
            f"{target.place()}: @streaming needs an iterator as return type, such as ConcatenateIterator[str]."
        )
    return output


def _output(hint: Any, inside: tuple[type[Any], ...], *, is_whole: bool = False) -> Json:
    inner, is_opaque = adt._unwrap_opaque(hint)
    if is_opaque:
        return _opaque(inner)
    hint = inspector._strip_non_opaque_annotated(hint)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if adt._is_union(hint):
        raise ValueError("Optional and other unions are not allowed here")
    if hint is dict or hint is Any or (origin is dict and not args):
        return {"type": "object"}
    if origin is dict:
        return {"type": "object", "additionalProperties": _output(args[1], inside)}
    if hint is list or origin is list:
        return {"type": "array", "items": _output(args[0], inside) if args else {"type": "object"}}
    if is_whole and (iterator := _iterator(hint, inside)) is not None:
        return iterator
    if inspect.isclass(hint) and (fields := _fields(hint)) is not None:
        return {"type": "object"} if hint in inside else _object(hint, fields, (*inside, hint))
    primitive = adt.PrimitiveType.from_type(hint)
    if primitive is not adt.PrimitiveType.CUSTOM:
        return dict(primitive.json_type())
    if Coder.lookup(hint) is not None:
        return {"type": "object"}
    raise ValueError(f"{getattr(hint, '__name__', hint)} is not supported as an output")


def _opaque(hint: Any) -> Json:
    if adt._is_union(hint) and type(None) in typing.get_args(hint):
        raise ValueError("Optional is not allowed here")
    is_list = hint is list or typing.get_origin(hint) is list
    return {"type": "array", "items": {"type": "object"}} if is_list else {"type": "object"}


def _iterator(hint: Any, inside: tuple[type[Any], ...]) -> Json | None:
    origin = typing.get_origin(hint) or hint
    concatenates = origin in (ConcatenateIterator, AsyncConcatenateIterator)
    if not concatenates and origin not in (collections.abc.Iterator, collections.abc.AsyncIterator):
        return None
    args = typing.get_args(hint)
    if len(args) != 1 or isinstance(args[0], typing.TypeVar):
        raise ValueError("an iterator needs the type of its items, such as Iterator[str]")
    if concatenates and args[0] is not str:
        raise ValueError("a ConcatenateIterator must be of str")
    found: Json = {"type": "array", "items": _output(args[0], inside), "x-cog-array-type": "iterator"}
    return found | {"x-cog-array-display": "concatenate"} if concatenates else found


def _fields(cls: type[Any]) -> dict[str, tuple[Any, bool]] | None:
    """The fields of a model class, each with its annotation and whether it may be left out; None for another class."""
    is_typed_dict = adt._is_dict_like(cls)
    is_pydantic = inspector.PydanticBaseModel is not None and issubclass(cls, inspector.PydanticBaseModel)
    if not (is_typed_dict or is_pydantic or issubclass(cls, cog.BaseModel)):
        return None
    hints = typing.get_type_hints(cls, include_extras=True)
    if is_typed_dict:
        return {name: (_key_type(hint), name not in cls.__required_keys__) for name, hint in hints.items()}
    if is_pydantic:
        return {name: (hints[name], not field.is_required()) for name, field in cls.model_fields.items()}
    if dataclasses.is_dataclass(cls):
        missing = dataclasses.MISSING
        return {
            field.name: (hints[field.name], field.default is not missing or field.default_factory is not missing)
            for field in dataclasses.fields(cls)
        }
    return {name: (hint, hasattr(cls, name)) for name, hint in hints.items()}


def _key_type(hint: Any) -> Any:
    # Required[T] and NotRequired[T] are already told by __required_keys__.
    if getattr(typing.get_origin(hint), "_name", None) in ("Required", "NotRequired"):
        return typing.get_args(hint)[0]
    return hint


def _object(cls: type[Any], fields: dict[str, tuple[Any, bool]], inside: tuple[type[Any], ...]) -> Json:
    properties: Json = {}
    required = []
    is_typed_dict = adt._is_dict_like(cls)
    for name, (hint, may_be_left_out) in fields.items():
        try:
            inner, is_optional = _without_none(hint)
            properties[name] = {**_output(inner, inside), "title": title_of(name)}
        except ValueError as error:
            raise ValueError(f"{cls.__name__}.{name}: {error}") from error
        if is_optional:
            properties[name]["nullable"] = True
        # A key of a TypedDict must be there even if its value may be None.
        if not may_be_left_out and (is_typed_dict or not is_optional):
            required.append(name)
    found: Json = {"type": "object", "properties": properties}
    return found | {"required": required} if required else found


def _without_none(hint: Any) -> tuple[Any, bool]:
    inner, is_opaque = adt._unwrap_opaque(hint)
    plain = inner if is_opaque else inspector._strip_non_opaque_annotated(hint)
    if not adt._is_union(plain):
        return hint, False
    members = [member for member in typing.get_args(plain) if member is not type(None)]
    if len(members) != 1 or len(typing.get_args(plain)) != 2:
        raise ValueError("unions other than with None are not allowed in outputs")
    return (typing.Annotated[members[0], cog.Opaque] if is_opaque else members[0]), True


# --- the document -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mode:
    """The words in which the documents for predictions and trainings differ."""

    prefix: str  # of the components
    thing: str  # prediction, training
    verb: str  # predict, train


_PREDICT = Mode("Prediction", "prediction", "predict")
_TRAIN = Mode("Training", "training", "train")
_OK: Json = {"description": "Successful Response", "content": {"application/json": {"schema": {}}}}
_INVALID: Json = {
    "description": "Validation Error",
    "content": {"application/json": {"schema": {"$ref": _REFERENCE + "HTTPValidationError"}}},
}


def mode_document(mode: Mode, target: Target) -> Json:
    """The whole document for one of the two modes. Source: 3.2."""
    is_train = mode is _TRAIN
    input_name, output_name = ("TrainingInput", "TrainingOutput") if is_train else ("Input", "Output")
    inputs, enums = input_component(target, input_name)
    components = {input_name: inputs, output_name: output_component(target), **_fixed_components(mode)}
    taken = {"Input", "Output", "TrainingInput", "TrainingOutput"}
    taken |= _fixed_components(_PREDICT).keys() | _fixed_components(_TRAIN).keys()
    for name in enums:
        if name in taken:
            raise Refused(f"{target.place(name)}: parameter {name!r}: a parameter with choices may not have this name.")
    return {
        "openapi": "3.0.2",
        "info": {"title": "Cog", "version": cog.__version__},
        "paths": _paths(mode, is_streaming=target.is_streaming and not is_train),
        "components": {"schemas": components | enums},
    }


def _fixed_components(mode: Mode) -> Json:
    input_name, output_name = ("TrainingInput", "TrainingOutput") if mode is _TRAIN else ("Input", "Output")
    text = {"type": "string"}
    time = {"type": "string", "format": "date-time"}
    texts = {"id": text, "version": text, "created_at": time, "started_at": time, "completed_at": time}
    texts |= {"status": text, "error": text, "logs": text, "metrics": {"type": "object"}}
    titled = {name: {"title": title_of(name), **schema} for name, schema in texts.items()}
    given = {"$ref": _REFERENCE + input_name}
    return {
        f"{mode.prefix}Request": _titled_object(f"{mode.prefix}Request", {"id": titled["id"], "input": given}),
        f"{mode.prefix}Response": _titled_object(
            f"{mode.prefix}Response", {"input": given, "output": {"$ref": _REFERENCE + output_name}, **titled}
        ),
        "Status": {
            "title": "Status",
            "description": "An enumeration.",
            "enum": ["starting", "processing", "succeeded", "canceled", "failed"],
            "type": "string",
        },
        "HTTPValidationError": _titled_object(
            "HTTPValidationError",
            {"detail": {"title": "Detail", "type": "array", "items": {"$ref": _REFERENCE + "ValidationError"}}},
        ),
        "ValidationError": _titled_object(
            "ValidationError",
            {
                "loc": {"title": "Location", "type": "array", "items": {"anyOf": [text, {"type": "integer"}]}},
                "msg": {"title": "Message", **text},
                "type": {"title": "Error Type", **text},
            },
        )
        | {"required": ["loc", "msg", "type"]},
    }


def _titled_object(title: str, properties: Json) -> Json:
    return {"title": title, "type": "object", "properties": properties}


def _paths(mode: Mode, *, is_streaming: bool) -> Json:
    things, identifier = f"{mode.thing}s", f"{mode.thing}_id"
    body = {"application/json": {"schema": {"$ref": f"{_REFERENCE}{mode.prefix}Request"}}}
    answer = {"application/json": {"schema": {"$ref": f"{_REFERENCE}{mode.prefix}Response"}}}
    parameter_schema = {"title": title_of(identifier), "type": "string"}
    run: Json = {
        "summary": mode.verb.capitalize(),
        "description": f"Run a single {mode.thing} on the model",
        "operationId": f"{mode.verb}_{things}_post",
        "requestBody": {"content": body},
        "responses": {"200": {"description": "Successful Response", "content": answer}, "422": _INVALID},
    }
    cancel: Json = {
        "summary": "Cancel",
        "operationId": f"cancel_{things}__{identifier}__cancel_post",
        "parameters": [{"in": "path", "name": identifier, "required": True, "schema": parameter_schema}],
        "responses": {"200": _OK, "422": _INVALID},
    }
    return {
        "/": {"get": {"summary": "Root", "operationId": "root__get", "responses": {"200": _OK}}},
        "/health-check": {
            "get": {
                "summary": "Healthcheck",
                "operationId": "healthcheck_health_check_get",
                "responses": {"200": _OK},
            }
        },
        f"/{things}": {"post": run | {"x-cog-streaming": True} if is_streaming else run},
        f"/{things}/{{{identifier}}}/cancel": {"post": cancel},
    }


def merged(predict: Json, train: Json) -> Json:
    """Both modes in one document: what training adds, predictions keep the rest. Source: 3.2, last paragraph."""
    for name, component in train["components"]["schemas"].items():
        if predict["components"]["schemas"].get(name, component) != component:
            raise Refused(f"predict and train both have a parameter {name!r} with choices, but not the same ones.")
    schemas = train["components"]["schemas"] | predict["components"]["schemas"]
    return predict | {"paths": train["paths"] | predict["paths"], "components": {"schemas": schemas}}


def generate(project: Path) -> Json:
    """The whole answer for a project folder. Raises Refused."""
    config = yaml.safe_load((project / "cog.yaml").read_text("utf-8-sig")) or {}
    predict, train = config.get("run") or config.get("predict"), config.get("train")
    if predict:
        target = find_target(project, predict, trains=False)
        document = mode_document(_PREDICT, target)
        if train:
            document = merged(document, mode_document(_TRAIN, find_target(project, train, trains=True)))
    elif train:
        target = find_target(project, train, trains=True)
        document = mode_document(_TRAIN, target)
    else:
        raise Refused("cog.yaml: name what predicts, like 'run: run.py:Runner' (or a 'train').")
    return {
        "schema": document,
        "max_concurrency": _max_concurrency(config, target),
        "is_async": target.is_async,
    }


def _max_concurrency(config: Json, target: Target) -> int:
    """The yaml's number, else the decorator's, else 1. Source: 1.1, 2.5."""
    marked = [getattr(function, "__cog_concurrent_max__", 1) for function in (target.called, target.function)]
    most = int((config.get("concurrency") or {}).get("max") or max(marked))
    if most > 1 and not target.is_async:
        raise Refused(f"{target.place()}: a concurrency of {most} needs an async method.")
    return most


# --- running ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """What the model prints at import would hide our one message; native libraries print past `sys.stderr`."""
    kept = os.dup(1), os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # the model may have replaced or closed them
                stream.flush()
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the OpenAPI document of a Cog model.")
    parser.add_argument("project", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    project, out = given.project.resolve(), given.out.resolve()
    sys.argv = [sys.argv[0]]
    # The model must find its own modules, not those beside this script.
    sys.path[0] = str(project)
    os.chdir(project)
    patch_sdk()
    try:
        with _silenced():
            found = generate(project)
    except Refused as refused:
        os.write(2, f"{refused}\n".encode())
        return 2
    out.write_text(json.dumps(found, allow_nan=False), "utf-8")
    return 0


if __name__ == "__main__":
    # Not sys.exit: threads that the model started must not keep the build waiting.
    os._exit(main())
