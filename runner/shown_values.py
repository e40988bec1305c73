"""Outputs and inputs as people see them: which renderer fits each value, and addresses that work on this page.

A value becomes `Part`s: text, image, audio, video, file, link, value or json. Only files that we store, or that are in
the value itself (`data:`), are shown in place; others are links: a picture's address tells its server who looks.
Source: product-ux.md 3.3 (output table).
"""

import json
import mimetypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings

from models_catalog.schemas import Document, OutputKind, form_fields, output_kind

_SHOWN_IN_PLACE = {"image": "image", "audio": "audio", "video": "video"}
_FILE_KINDS = frozenset({OutputKind.FILE, OutputKind.FILES, OutputKind.FILE_ITERATOR})
_MANY = frozenset({OutputKind.FILES, OutputKind.FILE_ITERATOR, OutputKind.ITERATOR, OutputKind.LIST})


@dataclass(frozen=True, slots=True)
class Part:
    """One thing on a page. kind: also the template's name, `parts/_<kind>.html`."""

    kind: str
    text: str = ""  # of text, value and json
    url: str = ""  # of images, audio, video and files
    name: str = ""  # a file's


@dataclass(frozen=True, slots=True)
class ShownOutput:
    """A whole output. is_text_stream: parts are one text that grows; is_list: parts are numbered items that grow."""

    parts: tuple[Part, ...]
    is_text_stream: bool
    is_list: bool
    raw: str  # as JSON, for "copy" and the JSON view; empty where it says no more than the parts


def show_output(schema: Document, output: Any, component: str = "Output") -> ShownOutput:
    """What a page shows of an output; no parts where there is none yet, or none at all."""
    kind = output_kind(schema, component)
    if kind is OutputKind.CONCATENATED:
        text = "".join(chunk_text(chunk) for chunk in output) if isinstance(output, list) else ""
        return ShownOutput((Part("text", text=text),), True, False, "")
    is_list = kind in _MANY and isinstance(output, list | None)
    if output is None:
        return ShownOutput((), False, is_list, "")
    items = output if is_list else [output]
    parts = [part for item in items for part in show_value(item, is_file=kind in _FILE_KINDS)]
    says_it_all = not is_list and parts and parts[0].kind in ("json", "text", "value")
    raw = "" if says_it_all or len(parts) < 2 else as_json(output)
    return ShownOutput(tuple(parts), False, is_list, raw)


def show_item(schema: Document, item: Any) -> list[Part]:
    """One item of an iterator's output."""
    return list(show_value(item, is_file=output_kind(schema) in _FILE_KINDS))


def chunk_text(chunk: Any) -> str:
    """A chunk of a text stream; models that declare text and yield something else are shown as JSON."""
    return chunk if isinstance(chunk, str) else as_json(chunk)


def show_value(value: Any, *, is_file: bool = False, name: str = "") -> Iterator[Part]:
    """A value's parts: of an object the JSON, then each file in it. name: of a file whose address does not tell."""
    match value:
        case None:
            return
        case str() if is_file or is_ours(value):
            yield file_part(value, name)
        case str():
            yield Part("text", text=value)
        case bool() | int() | float():
            yield Part("value", text=json.dumps(value))
        case _:
            yield Part("json", text=as_json(value))
            yield from (file_part(url) for url in _files_in(value))


def is_ours(text: str) -> bool:
    """Is it the address of a file that we store, or a file written into the value?"""
    return text.startswith((f"{settings.PUBLIC_URL}/files/", f"{settings.PUBLIC_URL}/v1/files/")) or (
        text.startswith("data:") and "," in text[:300]
    )


def file_part(url: str, name: str = "") -> Part:
    """A file by its address: shown in place if it is ours and of a kind that browsers show."""
    if url[:5].lower() == "data:":
        content_type = url[5:300].partition(",")[0].partition(";")[0].lower()
        name = name or "file" + (mimetypes.guess_extension(content_type) or "")
        shown = url
    else:
        name = name or unquote(urlsplit(url).path.rpartition("/")[2]) or "file"
        content_type = mimetypes.guess_type(name)[0] or ""
        shown = url.removeprefix(settings.PUBLIC_URL) if is_ours(url) else url
    if not is_ours(url):
        return Part("link", url=shown if shown.startswith(("http://", "https://")) else "", name=url[:200])
    kind = _SHOWN_IN_PLACE.get(content_type.partition("/")[0], "file")
    return Part(kind, url=shown, name=name[:200])


def in_form_order(schema: Document, value: Mapping[str, Any], component: str = "Input") -> dict[str, Any]:
    """An input as its form asks for it (the database keeps no order); members that the form lacks come last."""
    names = [field.name for field in form_fields(schema, component) if field.name in value]
    return {name: value[name] for name in [*names, *(name for name in value if name not in names)]}


def as_json(value: Any) -> str:
    """Indented JSON for reading."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def _files_in(value: Any) -> Iterator[str]:
    match value:
        case str() if is_ours(value):
            yield value
        case list():
            for item in value:
                yield from _files_in(item)
        case dict():
            for item in value.values():
                yield from _files_in(item)
