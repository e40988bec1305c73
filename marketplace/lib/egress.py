"""The only HTTP client for addresses that users gave: input files and webhook targets.

Names are resolved and judged at the moment of connecting, and the connection goes to the very address that was judged,
so that neither a redirect nor a changed DNS answer leads into the operator's own network (server-side request forgery).
`check_url` is a first look when an address is entered; it resolves nothing and replaces none of this.
Source: design.md "Trust", cog-runtime.md 4.7, replicate-api.md 3.8 and 5.3.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from email.message import Message
from urllib.parse import unquote

import httpx

from marketplace.lib.egress_policy import EgressRefused, Policy, policy_from_settings
from marketplace.lib.egress_transport import GuardedTransport

USER_AGENT = "Modelyard"
REDIRECTS_MAX = 5
ANSWER_KEPT_BYTES = 4096  # of what a webhook's receiver says

__all__ = ["EgressFailed", "EgressRefused", "Fetched", "Policy", "Response", "check_url", "fetch", "post"]


class EgressFailed(Exception):
    """The other side could not be reached, was too slow, said no, or sent too much. The user may see its text."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A downloaded file.

    content_type: without parameters, lower case, "" if not given. filename: a bare, safe name or "".
    """

    content: bytes
    content_type: str
    filename: str


@dataclass(frozen=True, slots=True)
class Response:
    """What a webhook's receiver answered. body: its first 4 KiB."""

    status: int
    body: bytes
    headers: Mapping[str, str]


def check_url(url: str, *, policy: Policy | None = None) -> None:
    """Refuse what can be refused by looking: no http(s), no host, a bad port, a forbidden address as host.

    Raises EgressRefused.
    """
    _parse(url, policy or policy_from_settings())


async def fetch(url: str, *, max_bytes: int, timeout_seconds: float, policy: Policy | None = None) -> Fetched:
    """GET a file, following a few redirects, each judged anew. timeout_seconds: for all of it.

    Raises EgressRefused, EgressFailed.
    """
    policy = policy or policy_from_settings()
    async with _guarded(policy, timeout_seconds) as client:
        return await _fetch_following(client, _parse(url, policy), max_bytes=max_bytes, policy=policy)


def post(
    url: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float, *, policy: Policy | None = None
) -> Response:
    """POST to a webhook's receiver. Redirects are not followed: their status is the answer. Any status is returned.

    For threads without an event loop (tasks). timeout_seconds: for all of it.  Raises EgressRefused, EgressFailed.
    """
    policy = policy or policy_from_settings()
    return asyncio.run(_post(_parse(url, policy), body, headers, timeout_seconds, policy))


@contextlib.asynccontextmanager
async def _guarded(policy: Policy, timeout_seconds: float) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose whole use must end in time: limits per read alone would let a dripping server hold us for ever."""
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    transport = GuardedTransport(policy)
    try:
        async with (
            asyncio.timeout(timeout_seconds),  # of the whole; httpx knows limits for each step only
            httpx.AsyncClient(transport=transport, headers=headers, timeout=None, trust_env=False) as client,  # noqa: S113
        ):
            yield client
    except TimeoutError as error:
        raise EgressFailed(f"it took more than {timeout_seconds:g} s") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise EgressFailed(str(error) or type(error).__name__) from error


async def _post(
    url: httpx.URL, body: bytes, headers: Mapping[str, str], timeout_seconds: float, policy: Policy
) -> Response:
    async with (
        _guarded(policy, timeout_seconds) as client,
        client.stream("POST", url, content=body, headers=dict(headers)) as answer,
    ):
        kept = bytearray()
        async for chunk in answer.aiter_raw():
            kept += chunk
            if len(kept) >= ANSWER_KEPT_BYTES:
                break
        return Response(answer.status_code, bytes(kept[:ANSWER_KEPT_BYTES]), dict(answer.headers))


async def _fetch_following(client: httpx.AsyncClient, url: httpx.URL, *, max_bytes: int, policy: Policy) -> Fetched:
    for _ in range(REDIRECTS_MAX + 1):
        async with client.stream("GET", url) as answer:
            if not answer.has_redirect_location:
                return await _read(answer, max_bytes)
            url = _parse(str(url.join(answer.headers["location"])), policy)
    raise EgressFailed(f"more than {REDIRECTS_MAX} redirects")


async def _read(answer: httpx.Response, max_bytes: int) -> Fetched:
    if not answer.is_success:
        raise EgressFailed(f"the server answered {answer.status_code}")
    declared = answer.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes:
        raise EgressFailed(f"the file is larger than {max_bytes} bytes")
    content = bytearray()
    async for chunk in answer.aiter_bytes():
        content += chunk
        if len(content) > max_bytes:
            raise EgressFailed(f"the file is larger than {max_bytes} bytes")
    content_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Fetched(bytes(content), content_type, _filename(answer))


def _filename(answer: httpx.Response) -> str:
    """From Content-Disposition, else the address; never with a folder, control characters or a leading dot."""
    message = Message()
    message["Content-Disposition"] = answer.headers.get("content-disposition", "")
    name = message.get_filename() or unquote(answer.url.path).rstrip("/").rpartition("/")[2]
    name = re.sub(r"[\x00-\x1f\x7f]", "", re.split(r"[/\\]", name)[-1]).lstrip(".").strip()
    return name.encode()[-200:].decode(errors="ignore")


def _parse(url: str, policy: Policy) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise EgressRefused(f"not a valid URL: {error}") from error
    if parsed.scheme not in ("http", "https"):
        raise EgressRefused("only http and https are allowed")
    if not parsed.host:
        raise EgressRefused("the URL has no host")
    if parsed.port is not None and not 1 <= parsed.port <= 65535:
        raise EgressRefused("the port must be from 1 to 65535")
    policy.check_host(parsed.host)
    return parsed
