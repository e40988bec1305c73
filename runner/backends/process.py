"""Instances as child processes: coglet in a version's virtual environment, in a sandbox where bubblewrap works.

A start leaves a folder VAR_DIR/instances/<id>/ with `handle.json`, `log` and the socket; processes carry the instance's
nonce in their environment.  By these a later runner finds and stops what an earlier one started.
For one trusted machine unless sandboxed.  Source: docker-lab.md 5, 7.2; cog-runtime.md 4.1, 4.12.
"""

import asyncio
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import structlog

from runner.backends import cgroups, instance_logs, launch, proc_table, sandbox
from runner.backends.base import Handle, InstanceSpec, Isolation, StartFailed, Stats

LOG_CAP_BYTES = 16 * 1024 * 1024
PORT_TRIES = 5
KILL_TIMEOUT_SECONDS = 10
SOCKET_PATH_MAX_BYTES = 100  # the kernel's limit is 107

log = structlog.get_logger(__name__)


class _PortTaken(Exception):
    """Somebody took the port between our choice and the server's start."""


class ProcessBackend:
    """Instances on this machine. instances_dir: one folder each below it; a short path, as sockets live there.

    sandboxed: None uses bubblewrap where it works; False never; True refuses to start where it doesn't.
    """

    name = "process"

    def __init__(
        self,
        instances_dir: Path,
        *,
        sandboxed: bool | None = None,
        start_timeout_seconds: float = 20.0,
    ) -> None:
        self._instances_dir = instances_dir
        self._wants_sandbox = sandboxed
        self._start_timeout_seconds = start_timeout_seconds
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._starting: set[str] = set()

    @property
    def isolation(self) -> Isolation:
        """Whether instances run in a sandbox, and if not, why."""
        if self._wants_sandbox is False:
            return Isolation(False, "switched off")
        return sandbox.detect()

    async def start(self, spec: InstanceSpec) -> Handle:
        """Start a server and wait until it listens.  Raises StartFailed."""
        isolation = self.isolation
        if self._wants_sandbox and not isolation.sandboxed:
            raise StartFailed(isolation.reason)
        folder = self._folder(spec.instance_id)
        if isolation.sandboxed and len(str(folder / "run" / "s")) > SOCKET_PATH_MAX_BYTES:
            raise StartFailed(f"the path of the instance's socket is too long: {folder}")
        self._starting.add(spec.instance_id)
        try:
            return await self._start_on_a_free_port(spec, sandboxed=isolation.sandboxed)
        finally:
            self._starting.discard(spec.instance_id)

    async def _start_on_a_free_port(self, spec: InstanceSpec, *, sandboxed: bool) -> Handle:
        for _ in range(PORT_TRIES):
            handle = await asyncio.to_thread(self._spawn, spec, sandboxed=sandboxed)
            try:
                await self._wait_until_listening(handle)
            except _PortTaken:
                await self.stop(handle, grace_seconds=0)
            except BaseException:
                await self.stop(handle, grace_seconds=0)
                raise
            else:
                return handle
        raise StartFailed("no free port found")

    async def stop(self, handle: Handle, *, grace_seconds: float = 5.0) -> None:
        """Ask the server to end, wait, then kill every process of the instance and remove its files except the log."""
        group = cgroups.find(handle.instance_id)
        if grace_seconds > 0:
            await asyncio.to_thread(self._ask_to_end, handle)
        deadline = time.monotonic() + grace_seconds
        while await self.is_alive(handle) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        await self._kill_all(handle, group)
        self._reap(handle.instance_id)
        self._children.pop(handle.instance_id, None)
        if group:
            await asyncio.to_thread(group.remove)
        await asyncio.to_thread(self._clear, handle.instance_id)

    async def is_alive(self, handle: Handle) -> bool:
        """The process that was started is there."""
        self._reap(handle.instance_id)
        return proc_table.is_running(handle.pid, handle.start_ticks)

    async def stats(self, handle: Handle) -> Stats:
        """Memory and processor time of all its processes; shared memory counts for each. Also trims its log."""
        instance_logs.trim(self._log_path(handle.instance_id), LOG_CAP_BYTES)
        group = cgroups.find(handle.instance_id)
        processes = await asyncio.to_thread(self._list_processes, handle.nonce, group)
        return Stats(
            rss_bytes=sum(proc_table.rss_bytes(process.pid) for process in processes),
            cpu_seconds=sum(process.cpu_seconds for process in processes),
            processes=len(processes),
            oom_kills=group.oom_kills() if group else None,
        )

    async def read_log(self, handle: Handle, *, tail_bytes: int = 65536) -> str:
        """The end of its log, also after its end."""
        return await asyncio.to_thread(instance_logs.read_tail, self._log_path(handle.instance_id), tail_bytes)

    async def follow_log(self, handle: Handle) -> AsyncIterator[str]:
        """Lines as they are written, from now on, until the instance is gone."""
        path, rest = self._log_path(handle.instance_id), b""
        place = path.stat().st_size if path.exists() else 0
        while True:
            alive = await self.is_alive(handle)  # asked before reading, so that last words are read
            size = path.stat().st_size if path.exists() else 0
            if size < place:
                place, rest = 0, b""  # the file was cut
            if size > place:
                with path.open("rb") as file:
                    file.seek(place)
                    content = file.read(size - place)
                place = size
                *lines, rest = (rest + content).split(b"\n")
                for line in lines:
                    yield line.decode(errors="replace")
            elif not alive:
                return
            else:
                await asyncio.sleep(0.2)

    async def list_running(self) -> list[Handle]:
        """Instances whose process lives, by the handles on disk. Half-started ones of a dead runner are ended here."""
        running = []
        for folder in sorted(self._instances_dir.glob("*/")):
            handle = _read_handle(folder)
            if handle is None or handle.instance_id in self._starting:
                continue
            if handle.pid and await self.is_alive(handle) and proc_table.carries(handle.pid, handle.nonce):
                running.append(handle)
            elif not handle.pid or not await self.is_alive(handle):
                log.info("instance_remains_removed", instance_id=handle.instance_id)
                await self.stop(handle, grace_seconds=0)
        return running

    def _spawn(self, spec: InstanceSpec, *, sandboxed: bool) -> Handle:
        folder = self._folder(spec.instance_id)
        run_dir = folder / "run"
        for needed in (folder, run_dir, folder / "tmp"):
            needed.mkdir(parents=True, exist_ok=True, mode=0o700)
        port = sandbox.SERVER_PORT if sandboxed and not spec.network else launch.free_port()
        handle = Handle(
            backend=self.name,
            instance_id=spec.instance_id,
            endpoint=f"unix://{run_dir / 's'}" if sandboxed else f"tcp://127.0.0.1:{port}",
            nonce=spec.nonce,
            callback_base=sandbox.CALLBACK_BASE if sandboxed and sandbox.needs_callback_relay(spec) else "",
            sandboxed=sandboxed,
        )
        _write_handle(folder, handle)  # before there is a process, so that none can be unknown
        tmp, weights = str(folder / "tmp"), str(spec.weights or "")
        if sandboxed:
            tmp, weights = "/tmp", sandbox.inside_weights(spec)
        env = launch.environment(spec, port=port, tmp=tmp, weights=weights)
        child = launch.launch(spec, folder, env, port=port, sandboxed=sandboxed)
        self._children[spec.instance_id] = child
        started = proc_table.find(child.pid)
        assert started, "a child that nobody waited for stays in the table"
        handle = Handle.from_dict({**handle.to_dict(), "pid": child.pid, "start_ticks": started.start_ticks})
        _write_handle(folder, handle)
        return handle

    async def _wait_until_listening(self, handle: Handle) -> None:
        deadline = time.monotonic() + self._start_timeout_seconds
        path = Path(handle.endpoint.removeprefix("unix://"))
        port = 0 if handle.sandboxed else int(handle.endpoint.rpartition(":")[2])
        while time.monotonic() < deadline:
            if not await self.is_alive(handle):
                written = await self.read_log(handle, tail_bytes=8192)
                if "Address already in use" in written:
                    raise _PortTaken
                raise StartFailed(f"the model server ended at once:\n{instance_logs.plain(written)}")
            if path.exists() if handle.sandboxed else proc_table.listens_on(handle.pid, port):  # noqa: ASYNC240 - one stat
                return
            await asyncio.sleep(0.01)
        written = await self.read_log(handle, tail_bytes=8192)
        raise StartFailed(f"the model server does not answer:\n{instance_logs.plain(written)}")

    async def _kill_all(self, handle: Handle, group: cgroups.Group | None) -> None:
        deadline = time.monotonic() + KILL_TIMEOUT_SECONDS
        while left := await asyncio.to_thread(self._list_processes, handle.nonce, group):
            for process in left:
                proc_table.send(process, signal.SIGKILL)
            if time.monotonic() > deadline:  # stuck in the kernel, e.g. in a driver
                log.error(
                    "instance_not_killable",
                    instance_id=handle.instance_id,
                    pids=[one.pid for one in left],
                )
                return
            await asyncio.sleep(0.01)

    def _ask_to_end(self, handle: Handle) -> None:
        """SIGTERM to the server alone: its worker would take one as a crash, and bubblewrap does not pass it on."""
        for process in self._list_processes(handle.nonce, None):
            words = proc_table.command_line(process.pid)
            is_relay = "/run/relay.py" in words[:2]
            is_server = process.pid == handle.pid and process.start_ticks == handle.start_ticks
            if is_relay if handle.sandboxed else is_server:
                proc_table.send(process, signal.SIGTERM)

    def _list_processes(self, nonce: str, group: cgroups.Group | None) -> list[proc_table.Process]:
        return proc_table.list_of(nonce, also=group.pids() if group else ())

    def _reap(self, instance_id: str) -> None:
        if child := self._children.get(instance_id):
            child.poll()

    def _clear(self, instance_id: str) -> None:
        folder = self._folder(instance_id)
        for name in ("run", "tmp"):
            shutil.rmtree(folder / name, ignore_errors=True)
        (folder / "handle.json").unlink(missing_ok=True)

    def _folder(self, instance_id: str) -> Path:
        return self._instances_dir / instance_id

    def _log_path(self, instance_id: str) -> Path:
        return self._folder(instance_id) / "log"


def _write_handle(folder: Path, handle: Handle) -> None:
    new = folder / "handle.json.new"
    new.write_bytes(orjson.dumps(handle.to_dict()))
    new.rename(folder / "handle.json")


def _read_handle(folder: Path) -> Handle | None:
    try:
        return Handle.from_dict(orjson.loads((folder / "handle.json").read_bytes()))
    except (FileNotFoundError, orjson.JSONDecodeError, TypeError):
        return None
