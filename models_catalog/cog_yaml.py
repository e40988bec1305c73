"""cog.yaml: parsed and checked in full before anything is built.

`load` reads a project folder, `parse` a text; both give a `CogConfig` or raise `CogYamlInvalid` with all mistakes,
each with its dotted path and what was expected.  What a host can provide (GPU, apt packages) is not judged here.
Source: cog-runtime.md 1.1, 1.2, 1.3, checklist 8 (1-3, 9, 10).
"""

import re
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import yaml

from models_catalog import cog_build, yaml_reading
from models_catalog.cog_config import CogConfig, Concurrency, Reference, Traces, Weight, WeightSource
from models_catalog.yaml_reading import ConfigError, Reader

__all__ = ["CogYamlInvalid", "ConfigError", "load", "parse"]

_TOP_LEVEL = (
    "build", "run", "predict", "train", "image", "model", "environment", "concurrency", "weights", "observability",
)  # fmt: skip
_RESERVED_NAMES = frozenset({
    "PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "PYTHONUNBUFFERED", "LIBRARY_PATH", "HF_ENDPOINT",
    "HF_HUB_ENABLE_HF_TRANSFER",
})  # fmt: skip
_RESERVED_PREFIXES = ("R8_", "REPLICATE_", "CUDA_", "NVIDIA_", "NV_", "PGET_", "KUBERNETES_", "OTEL_")
_MOST_BYTES = 256_000


class CogYamlInvalid(ValueError):
    """A cog.yaml with mistakes; `errors` has all of them."""

    def __init__(self, errors: list[ConfigError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = errors


def load(folder: Path) -> CogConfig:
    """The cog.yaml of a project folder, which must name something to run. Raises CogYamlInvalid."""
    path = folder / "cog.yaml"
    if not path.is_file():
        raise CogYamlInvalid([ConfigError("", "The project has no cog.yaml at its top.")])
    if path.stat().st_size > _MOST_BYTES:
        raise CogYamlInvalid([ConfigError("", f"cog.yaml is larger than {_MOST_BYTES // 1000} kB.")])
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CogYamlInvalid([ConfigError("", "cog.yaml is not UTF-8.")]) from error
    config = parse(text, folder)
    if config.predict is None and config.train is None:
        raise CogYamlInvalid([ConfigError("run", "Name what predicts, like 'run.py:Runner' (or a 'train').")])
    return config


def parse(text: str, folder: Path | None = None) -> CogConfig:
    """A cog.yaml's text; with `folder`, files that it names must exist there. An empty text is legal.

    Raises CogYamlInvalid with every mistake found.
    """
    reader = Reader()
    try:
        document = yaml_reading.load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # ValueError: dates and numbers that cannot be
        raise CogYamlInvalid([ConfigError("", f"Not valid YAML: {_yaml_words(error)}")]) from error
    top = reader.mapping({} if document is None else document, "", _TOP_LEVEL)
    config = _read(reader, top or {}, folder)
    if reader.errors:
        raise CogYamlInvalid(reader.errors)
    return config


def _yaml_words(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem} (line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1})."
    return str(error) if not isinstance(error, RecursionError) else "nested too deeply."


def _read(reader: Reader, top: dict[str, object], folder: Path | None) -> CogConfig:
    warnings: list[str] = []
    build = cog_build.read(reader, top["build"], folder, warnings) if "build" in top else None
    return CogConfig(
        predict=_predict(reader, top, folder, warnings),
        train=_reference(reader, top["train"], "train", folder) if "train" in top else None,
        build=build,
        image=reader.string(top["image"], "image") if "image" in top else None,
        model=_model(reader, top),
        environment=MappingProxyType(_environment(reader, top.get("environment", []))),
        concurrency=_concurrency(reader, top, build.python_version if build else None, warnings),
        weights=_weights(reader, top["weights"]) if "weights" in top else (),
        traces=_traces(reader, top["observability"]) if "observability" in top else None,
        warnings=tuple(warnings),
    )


def _predict(reader: Reader, top: dict[str, object], folder: Path | None, warnings: list[str]) -> Reference | None:
    if "run" in top and "predict" in top:
        reader.wrong("predict", "Give either 'run' or its old name 'predict', not both.")
    if "predict" in top:
        warnings.append("'predict' is the old name of 'run'.")
        return _reference(reader, top["predict"], "predict", folder)
    return _reference(reader, top["run"], "run", folder) if "run" in top else None


def _reference(reader: Reader, value: object, path: str, folder: Path | None) -> Reference | None:
    text = reader.string(value, path)
    if text is None:
        return None
    file, separator, name = text.partition(".py:")
    if not separator or ".py:" in name or not file or not name.isidentifier():
        reader.wrong(path, f"Expected a reference like 'run.py:Runner', got {yaml_reading.describe(text)}.")
        return None
    file += ".py"
    if not cog_build.check_file(reader, file, path, folder):
        return None
    return Reference(str(PurePosixPath(file)), name)


def _model(reader: Reader, top: dict[str, object]) -> str | None:
    if "model" in top and "image" in top:
        reader.wrong("model", "Give either 'image' or 'model', not both.")
    if "weights" in top and "model" not in top:
        reader.wrong("model", "Required when 'weights' is used.")
    if "model" not in top:
        return None
    model = reader.string(top["model"], "model")
    if model is not None and ("@" in model or ":" in model.rpartition("/")[2]):
        reader.wrong("model", "Expected a bare repository, without tag or digest.")
    return model


def _environment(reader: Reader, value: object) -> dict[str, str]:
    found: dict[str, str] = {}
    for path, item in reader.items(value, "environment"):
        text = reader.matching(item, path, r"(?s)[A-Za-z_][A-Za-z0-9_]*=.*", "NAME=value")
        if text is None:
            continue
        name, _, content = text.partition("=")
        if name in _RESERVED_NAMES or name.startswith(_RESERVED_PREFIXES):
            reader.wrong(path, f"{name} is reserved for the platform; choose another name.")
        elif name in found:
            reader.wrong(path, f"{name} is set twice.")
        else:
            found[name] = content
    return found


def _concurrency(
    reader: Reader, top: dict[str, object], python_version: str | None, warnings: list[str]
) -> Concurrency | None:
    if "concurrency" not in top:
        return None
    values = reader.mapping(top["concurrency"], "concurrency", ("max", "default_target"))
    if values is None:
        return None
    if "max" not in values:
        reader.wrong("concurrency.max", "Required: an integer of at least 1.")
        return None
    warnings.append("'concurrency' is deprecated; use the decorator @cog.concurrent(max=N).")
    most = reader.integer(values["max"], "concurrency.max", at_least=1)
    target = values.get("default_target")
    target = reader.integer(target, "concurrency.default_target", at_least=1) if target is not None else None
    if most is not None and most > 1 and python_version is not None and python_version.split(".")[:2] == ["3", "10"]:
        reader.wrong("concurrency.max", "More than 1 needs Python 3.11 or newer.")
    return Concurrency(most, target) if most is not None else None


def _weights(reader: Reader, value: object) -> tuple[Weight, ...]:
    weights: list[Weight] = []
    for path, item in reader.items(value, "weights"):
        weight = _weight(reader, item, path)
        if weight is None:
            continue
        if any(weight.name == other.name for other in weights):
            reader.wrong(f"{path}.name", f"{weight.name!r} is used twice.")
        for other in weights:
            one, two = PurePosixPath(weight.target), PurePosixPath(other.target)
            if one.is_relative_to(two) or two.is_relative_to(one):
                reader.wrong(f"{path}.target", f"{one} and {two} are the same or inside each other.")
        weights.append(weight)
    return tuple(weights)


def _weight(reader: Reader, value: object, path: str) -> Weight | None:
    keys = ("name", "target", "source")
    values = reader.mapping(value, path, keys)
    if values is None:
        return None
    for key in keys:
        if key not in values:
            reader.wrong(f"{path}.{key}", "Required.")
    if len(values) < len(keys):
        return None
    name = reader.matching(
        values["name"], f"{path}.name", r"[a-z0-9]+([._-][a-z0-9]+)*", "a name of a-z and 0-9, parts joined by . _ or -"
    )
    target = reader.string(values["target"], f"{path}.target")
    if target is not None and (not target.startswith("/") or set(target) <= {"/"} or ".." in target.split("/")):
        reader.wrong(f"{path}.target", "Expected an absolute path in the container other than '/'.")
        target = None
    given = values["source"]
    sources = reader.items(given, f"{path}.source") if isinstance(given, list) else [(f"{path}.source", given)]
    if not sources:
        reader.wrong(f"{path}.source", "Expected at least one source.")
    read = [_weight_source(reader, item, at) for at, item in sources]
    if name is None or target is None:
        return None
    return Weight(name, str(PurePosixPath(target)), tuple(source for source in read if source is not None))


def _weight_source(reader: Reader, value: object, path: str) -> WeightSource | None:
    values = reader.mapping(value, path, ("uri", "include", "exclude"))
    if values is None:
        return None
    uri = reader.string(values.get("uri"), f"{path}.uri")
    if uri is not None and (scheme := re.match(r"([a-z0-9+.-]+)://", uri)) and scheme[1] not in ("hf", "file", "https"):
        reader.wrong(f"{path}.uri", "Expected hf://org/repo, file://…, https://… or a local path.")
    patterns: dict[str, tuple[str, ...]] = {}
    for key in ("include", "exclude"):
        patterns[key] = reader.strings(values.get(key, []), f"{path}.{key}")
        for number, pattern in enumerate(patterns[key]):
            if pattern.startswith("!") or "\\" in pattern:
                reader.wrong(f"{path}.{key}[{number}]", "A pattern may not start with '!' or have a backslash.")
    return WeightSource(uri or "", patterns["include"], patterns["exclude"])


def _traces(reader: Reader, value: object) -> Traces | None:
    values = reader.mapping(value, "observability", ("traces",))
    if not values:
        return None
    path = "observability.traces"
    traces = reader.mapping(
        values["traces"], path, ("enabled", "sampler", "sampler_arg", "trace_header", "trace_header_format")
    )
    if traces is None:
        return None
    enabled = reader.boolean(traces["enabled"], f"{path}.enabled") if "enabled" in traces else False
    texts = {
        key: reader.string(traces[key], f"{path}.{key}") if key in traces else None
        for key in ("sampler", "sampler_arg", "trace_header", "trace_header_format")
    }
    ratio = texts["sampler_arg"]
    if ratio is not None and not re.fullmatch(r"0|1|0?\.\d+|0\.0*|1\.0*", ratio):
        reader.wrong(f"{path}.sampler_arg", 'Expected a number from "0" to "1", in quotes.')
    if texts["trace_header_format"] not in (None, "w3c", "jaeger"):
        reader.wrong(f"{path}.trace_header_format", "Expected w3c or jaeger.")
    return Traces(enabled=bool(enabled), **texts)
