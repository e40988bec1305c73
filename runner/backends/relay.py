"""Stand-alone program inside a sandbox without a network: starts the model server and carries bytes in and out.

    python relay.py --listen /run/instance/s --port 5000 --callbacks /run/callbacks/s:5001 -- COMMAND...

In: connections to the unix socket go to the server on 127.0.0.1:PORT; the socket appears once the server listens.
Out: connections to 127.0.0.1:5001 (webhooks) go to the runner's unix socket.  SIGTERM is passed on, the server's exit
code is ours.  Only the standard library: it runs in the model's environment.  Source: docker-lab.md 7.2.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

Connected = Callable[["Pipe"], Awaitable[tuple[asyncio.BaseTransport, asyncio.BaseProtocol]]]


class Pipe(asyncio.Protocol):
    """One side of a connection; what arrives here is written to `other`, at the pace it can take."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: Pipe | None = None
        self.early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.other and self.other.transport:
            self.other.transport.write(data)
        else:
            self.early.append(data)

    def pause_writing(self) -> None:
        if self.other and self.other.transport:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other and self.other.transport and not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        # A closed connection of one side closes the other: coglet cancels what nobody waits for.
        if self.other and self.other.transport:
            self.other.transport.close()

    def join(self, other: "Pipe") -> None:
        self.other, other.other = other, self
        if self.transport and self.transport.is_closing() and other.transport:
            other.transport.close()
        for data in self.early:
            self.data_received(data)
        self.early.clear()


class Entrance(Pipe):
    """The side that somebody opened; opens the far side by `connect`."""

    def __init__(self, connect: Connected) -> None:
        super().__init__()
        self._connect = connect
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._opening = asyncio.ensure_future(self._open())

    async def _open(self) -> None:
        far = Pipe()
        try:
            await self._connect(far)
        except OSError:
            if self.transport:
                self.transport.close()
            return
        self.join(far)


def entrance(connect: Connected) -> Callable[[], Entrance]:
    return lambda: Entrance(connect)


async def wait_for_port(port: int) -> None:
    while True:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.01)


async def main(arguments: argparse.Namespace) -> int:
    loop = asyncio.get_running_loop()
    if arguments.callbacks:
        path, _, port = arguments.callbacks.rpartition(":")
        out = entrance(lambda pipe: loop.create_unix_connection(lambda: pipe, path))
        await loop.create_server(out, "127.0.0.1", int(port))
    server = await asyncio.create_subprocess_exec(*arguments.command)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.terminate)
    listening = asyncio.ensure_future(wait_for_port(arguments.port))
    ended = asyncio.ensure_future(server.wait())
    await asyncio.wait({listening, ended}, return_when=asyncio.FIRST_COMPLETED)
    if not ended.done():
        into = entrance(lambda pipe: loop.create_connection(lambda: pipe, "127.0.0.1", arguments.port))
        # Bound under another name first: the real one must not be there before somebody accepts.
        await loop.create_unix_server(into, arguments.listen + ".new")
        os.rename(arguments.listen + ".new", arguments.listen)
    listening.cancel()
    return await ended


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--callbacks")
    parser.add_argument("command", nargs="+")
    code = asyncio.run(main(parser.parse_args()))
    sys.exit(code if code >= 0 else 128 - code)
