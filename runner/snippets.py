"""The same prediction as a program: cURL, Python and Node, ready to paste.

Secrets never appear: the name of an environment variable stands in for each.  Source: product-ux.md 3.4, 0.9.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from models_catalog.schemas import Document, OutputKind, is_iterator, output_kind

_MARK = "\x00secret:"  # no JSON text contains it unescaped, so it can be found again after encoding


@dataclass(frozen=True, slots=True)
class Target:
    """What is called. version_id "": an official model, called by name. is_iterator: output comes piece by piece."""

    base_url: str
    model_name: str
    version_id: str
    is_iterator: bool = False
    is_text: bool = False  # … and the pieces are one text


@dataclass(frozen=True, slots=True)
class Snippet:
    """One program. language: for ids and for remembering the choice."""

    language: str
    label: str
    text: str


def target_of(schema: Document, model_name: str, version_id: str) -> Target:
    """The target for one version, named by its id so that the program keeps doing the same."""
    is_text = output_kind(schema) is OutputKind.CONCATENATED
    return Target(settings.PUBLIC_URL, model_name, version_id, is_iterator(schema), is_text)


def snippets(target: Target, value: Mapping[str, Any], secret_names: Iterable[str] = ()) -> list[Snippet]:
    """The prediction with this input in each language."""
    secrets = set(secret_names)
    marked = {name: _MARK + _variable(name) if name in secrets else item for name, item in value.items()}
    return [
        Snippet("curl", "cURL", _curl(target, marked)),
        Snippet("python", "Python", _python(target, marked)),
        Snippet("node", "Node", _node(target, marked)),
    ]


def _variable(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name).upper()


def _curl(target: Target, value: Mapping[str, Any]) -> str:
    body = {"version": target.version_id, "input": value} if target.version_id else {"input": value}
    text = json.dumps(body, indent=2, ensure_ascii=False).replace("'", "'\\''")
    path = "/v1/predictions" if target.version_id else f"/v1/models/{target.model_name}/predictions"
    return (
        f"curl -s -X POST {target.base_url}{path} \\\n"
        '  -H "Authorization: Bearer $REPLICATE_API_TOKEN" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        '  -H "Prefer: wait" \\\n'
        f"  -d '{_with_secrets(text, chr(34) + chr(39) + chr(34) + '${}' + chr(34) + chr(39) + chr(34))}'"
    )


def _python(target: Target, value: Mapping[str, Any]) -> str:
    literal = _with_secrets(_python_literal(value, "    "), 'os.environ["{}"]')
    if target.is_iterator:
        ending = ', end=""' if target.is_text else ""
        show = f"for item in output:\n    print(item{ending}, flush=True)"
    else:
        show = "print(output)"
    return (
        "import os\n\nimport replicate  # pip install replicate\n\n"
        "client = replicate.Client(\n"
        '    api_token=os.environ["REPLICATE_API_TOKEN"],\n'
        f'    base_url="{target.base_url}",\n)\n'
        f'output = client.run(\n    "{_reference(target)}",\n    input={literal},\n)\n{show}'
    )


def _node(target: Target, value: Mapping[str, Any]) -> str:
    literal = _with_secrets(_indented(json.dumps(value, indent=2, ensure_ascii=False), "  "), "process.env.{}")
    show = 'console.log(output.join(""));' if target.is_text else "console.log(output);"
    return (
        'import Replicate from "replicate"; // npm install replicate\n\n'
        "const replicate = new Replicate({\n"
        "  auth: process.env.REPLICATE_API_TOKEN,\n"
        f'  baseUrl: "{target.base_url}/v1",\n}});\n\n'
        f'const output = await replicate.run("{_reference(target)}", {{\n  input: {literal},\n}});\n{show}'
    )


def _reference(target: Target) -> str:
    return f"{target.model_name}:{target.version_id}" if target.version_id else target.model_name


def _with_secrets(text: str, template: str) -> str:
    """Replace each marked string, quotes included, by the language's way to read an environment variable."""
    for quoted in (json.dumps(_MARK)[1:-1], repr(_MARK)[1:-1]):
        while (start := text.find('"' + quoted)) >= 0 or (start := text.find("'" + quoted)) >= 0:
            end = text.index(text[start], start + 1)
            variable = text[start + 1 + len(quoted) : end]
            text = text[:start] + template.replace("{}", variable) + text[end + 1 :]
    return text


def _indented(text: str, prefix: str) -> str:
    return text.replace("\n", "\n" + prefix)


def _python_literal(value: Any, indent: str) -> str:
    deeper = indent + "    "
    match value:
        case dict() if value:
            inner = [f"{_python_literal(key, deeper)}: {_python_literal(item, deeper)}" for key, item in value.items()]
            return "{\n" + "".join(f"{deeper}{line},\n" for line in inner) + indent + "}"
        case list() if value:
            return "[\n" + "".join(f"{deeper}{_python_literal(item, deeper)},\n" for item in value) + indent + "]"
        case str():
            return json.dumps(value, ensure_ascii=False)
    return repr(value)
