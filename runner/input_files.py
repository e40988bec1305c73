"""Our own files in inputs: uploads by their API address, outputs by their link. No request leaves for them.

An upload's address shows its description, so the runner puts the content in its place.  Source: replicate-api.md 3.8.
"""

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings

from accounts.access import Caller
from marketplace.lib.problems import InvalidField, NotFound
from runner import files
from runner.models import StoredFile

_OWN_PATH = re.compile(
    r"/(?:v1/)?(?:v1/files/(?P<upload>[a-z0-9]{1,64})|files/(?P<output>[a-z0-9]{26})/(?P<signature>[0-9a-f]{32})/.*)"
)


def unreadable_inputs(caller: Caller, value: dict[str, Any]) -> list[InvalidField]:
    """Members that name an upload which is gone or somebody else's. Touches the database only where one is named."""
    named = {path: upload for path, text in strings(value, "input") if (upload := _upload_id(text))}
    if not named:
        return []
    readable = set(files.list_uploads(caller).filter(pk__in=set(named.values())).values_list("pk", flat=True))
    return [
        InvalidField("file_not_found", path, "The file does not exist, has expired, or belongs to another account")
        for path, upload in named.items()
        if upload not in readable
    ]


def has_own_files(value: Any) -> bool:
    """Is any string in it the address of one of our files?"""
    return any(_own(text) for _, text in strings(value, ""))


def resolve_inputs(account_id: int, value: dict[str, Any]) -> dict[str, Any]:
    """The input with each of our files' addresses replaced by its content as a data URI.

    Uploads must be the account's; an address that leads to no file stays as it is, and fails where it is fetched.
    """

    def content(text: str) -> str:
        file = _find(account_id, text)
        if file is None:
            return text
        with files.open_content(file) as opened:
            encoded = base64.b64encode(opened.read()).decode()
        return f"data:{file.content_type};base64,{encoded}"

    return {name: _replaced(item, content) for name, item in value.items()}


def strings(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every string at any depth, with its dotted path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from strings(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from strings(item, f"{path}.{index}")


def find_upload(caller: Caller, text: str) -> StoredFile | None:
    """The account's upload that an input names by its address."""
    upload = _upload_id(text)
    return files.list_uploads(caller).filter(pk=upload).first() if upload else None


def _own(text: str) -> "re.Match[str] | None":
    if not text.startswith(settings.PUBLIC_URL):
        return None
    return _OWN_PATH.fullmatch(text, len(settings.PUBLIC_URL))


def _upload_id(text: str) -> str | None:
    match = _own(text)
    return match["upload"] if match else None


def _find(account_id: int, text: str) -> StoredFile | None:
    match = _own(text)
    if match is None:
        return None
    if match["upload"]:
        uploads = files.live_files().filter(account_id=account_id, kind=StoredFile.Kind.UPLOAD)
        return uploads.filter(pk=match["upload"]).first()
    try:
        return files.get_output(match["output"], match["signature"])
    except NotFound:
        return None


def _replaced(value: Any, replace: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return replace(value)
    if isinstance(value, dict):
        return {key: _replaced(item, replace) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, replace) for item in value]
    return value
