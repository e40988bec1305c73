"""Connections of the guarded HTTP client: resolve, judge, then connect to the very address that was judged.

The host's name stays in the Host header and in TLS (SNI, certificate), as only the network layer below is replaced.
"""

import asyncio
import functools
import socket
import ssl
from collections.abc import Iterable

import httpcore
import httpx

from marketplace.lib.egress_policy import EgressRefused, Policy

_SocketOptions = Iterable[httpcore.SOCKET_OPTION] | None


class GuardedTransport(httpx.AsyncHTTPTransport):
    """No proxies, no unix sockets, no reuse beyond the client."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(verify=_tls())
        # httpx has no parameter for it; the pool is all that its transport is made of.
        self._pool = httpcore.AsyncConnectionPool(ssl_context=_tls(), network_backend=_GuardedBackend(policy))


class _GuardedBackend(httpcore.AnyIOBackend):
    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: _SocketOptions = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved") from error
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in self._policy.allowed(_addresses(answers)):
            try:
                return await super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(f"{host} has no address")

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: _SocketOptions = None
    ) -> httpcore.AsyncNetworkStream:
        raise EgressRefused("no unix sockets")


@functools.cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _addresses(answers: Iterable[tuple[object, object, object, str, tuple[object, ...]]]) -> list[str]:
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))
