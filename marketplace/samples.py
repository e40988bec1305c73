"""The models that come with the platform: what samples/samples.yaml says of them, and their example inputs."""

import base64
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml

_LINKS = ("github_url", "paper_url", "license_url", "weights_url")


@dataclass(frozen=True, slots=True)
class SampleCollection:
    """A collection to make."""

    slug: str
    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A model to publish. collections: slugs. links: members of a model."""

    name: str
    title: str
    description: str
    hardware: str
    collections: tuple[str, ...]
    links: dict[str, str]
    folder: Path


@dataclass(frozen=True, slots=True)
class Samples:
    """All of them, in the order in which they are published."""

    collections: tuple[SampleCollection, ...]
    models: tuple[Sample, ...]


def read_samples(folder: Path) -> Samples:
    """From `samples.yaml` in the folder; nothing where there is none."""
    path = folder / "samples.yaml"
    document: dict[str, Any] = yaml.safe_load(path.read_text("utf-8")) if path.is_file() else {}
    collections = [
        SampleCollection(slug=entry["slug"], name=entry["name"], description=entry.get("description", ""))
        for entry in document.get("collections", [])
    ]
    return Samples(tuple(collections), tuple(_sample(folder, entry) for entry in document.get("samples", [])))


def _sample(folder: Path, entry: dict[str, Any]) -> Sample:
    links = entry.get("links", {})
    return Sample(
        name=entry["name"],
        title=entry.get("title", entry["name"]),
        description=entry.get("description", ""),
        hardware=entry["hardware"],
        collections=tuple(entry.get("collections", [])),
        links={name: links[name] for name in _LINKS if name in links},
        folder=folder / entry["name"],
    )


def example_input(sample: Sample) -> dict[str, Any] | None:
    """The input of the sample's example.json, files handed over as data; None if it has no example."""
    path = sample.folder / "example.json"
    if not path.is_file():
        return None
    resolved = _resolved(orjson.loads(path.read_bytes())["input"], sample.folder)
    assert isinstance(resolved, dict)
    return resolved


def _resolved(value: Any, folder: Path) -> Any:
    """`"@cat.jpg"` becomes that file of the folder as a data URI, at any depth."""
    match value:
        case str() if value.startswith("@") and (folder / value[1:]).is_file():
            content_type = mimetypes.guess_type(value)[0] or "application/octet-stream"
            return f"data:{content_type};base64,{base64.b64encode((folder / value[1:]).read_bytes()).decode()}"
        case list():
            return [_resolved(item, folder) for item in value]
        case dict():
            return {key: _resolved(item, folder) for key, item in value.items()}
    return value
