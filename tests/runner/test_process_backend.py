"""Instances as child processes, plain and in a sandbox: the same promises for both."""

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from runner.backends import cgroups, instance_logs, launch, proc_table, sandbox
from runner.backends.base import Handle, InstanceSpec, StartFailed
from runner.backends.process import ProcessBackend
from runner.callbacks import CallbackListener
from runner.cog_events import Completed, Snapshot
from runner.coglet import Coglet

pytestmark = pytest.mark.asyncio

MakeSpec = Callable[..., InstanceSpec]

needs_bwrap = [
    pytest.mark.bwrap,
    pytest.mark.skipif(not sandbox.detect().sandboxed, reason=sandbox.detect().reason or "works"),
]
BOTH = [pytest.param(False, id="plain"), pytest.param(True, id="bwrap", marks=needs_bwrap)]
ADOPTED = Path(__file__).with_name("start_and_die.py")


@pytest_asyncio.fixture(params=BOTH)
async def backend(request: pytest.FixtureRequest, short_dir: Path) -> AsyncIterator[ProcessBackend]:
    """Stops at the end whatever still runs."""
    backend = ProcessBackend(short_dir / secrets.token_hex(3), sandboxed=request.param)
    yield backend
    for handle in await backend.list_running():
        await backend.stop(handle, grace_seconds=0)


async def ready(handle: Handle) -> None:
    async with asyncio.timeout(20), Coglet(handle.endpoint) as coglet:
        while not (await coglet.health()).is_set_up:
            await asyncio.sleep(0.02)


async def gone(handle: Handle) -> bool:
    return not proc_table.list_of(handle.nonce)


async def test_an_instance_answers_and_calls_back(
    backend: ProcessBackend, make_spec: MakeSpec, short_dir: Path
) -> None:
    callbacks = short_dir / "callbacks" / "s"
    listener, ended = CallbackListener(socket_path=callbacks), asyncio.Event()

    async def take(event: Snapshot | Completed) -> None:
        assert isinstance(event, Completed) and event.output == "HI"
        ended.set()

    await listener.open()
    listener.expect("token", "p1", take)
    handle = await backend.start(make_spec("echo", callbacks_socket=callbacks))
    await ready(handle)
    async with Coglet(handle.endpoint) as coglet:
        url = listener.url("token", base=handle.callback_base)
        await coglet.start("p1", {"text": "hi", "shout": True}, webhook_url=url, events=["completed"])
        await asyncio.wait_for(ended.wait(), 10)
    await listener.close()


async def test_a_set_up_reads_its_weights_from_a_file(
    backend: ProcessBackend, make_spec: MakeSpec, short_dir: Path
) -> None:
    weights = short_dir / "a poem.txt"
    weights.write_text("a poem")
    callbacks = short_dir / "callbacks" / "s"
    listener, ended = CallbackListener(socket_path=callbacks), asyncio.Queue[Snapshot | Completed]()
    await listener.open()
    listener.expect("token", "p1", ended.put)
    handle = await backend.start(make_spec("learner", callbacks_socket=callbacks, weights=weights))
    await ready(handle)
    async with Coglet(handle.endpoint) as coglet:
        await coglet.start("p1", {}, webhook_url=listener.url("token", base=handle.callback_base), events=["completed"])
        completed = await asyncio.wait_for(ended.get(), 10)
    assert isinstance(completed, Completed) and completed.output == "I have learned a poem"
    await listener.close()


async def test_nothing_of_the_platform_is_in_its_environment(
    backend: ProcessBackend, make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "platform-secret")
    handle = await backend.start(make_spec("echo", env={"MODEL_SETTING": "1"}))
    await ready(handle)
    processes = proc_table.list_of(handle.nonce)
    environments = [Path(f"/proc/{process.pid}/environ").read_bytes() for process in processes]
    assert not any(b"platform-secret" in environment for environment in environments)
    assert any(b"MODEL_SETTING=1" in environment for environment in environments)


@pytest.mark.bwrap
@pytest.mark.skipif(not sandbox.detect().sandboxed, reason=sandbox.detect().reason or "works")
async def test_a_sandboxed_worker_has_no_network_no_privileges_and_no_view_of_the_machine(
    short_dir: Path, make_spec: MakeSpec
) -> None:
    backend = ProcessBackend(short_dir / "walls", sandboxed=True)
    spec = make_spec("echo", env={"LD_PRELOAD": "", "TOKEN": "models-own-secret"})
    mine = tempfile.mkdtemp(dir=Path.home()).lstrip("/")
    handle = await backend.start(spec)
    await ready(handle)
    worker = Path("/proc", str(max(process.pid for process in proc_table.list_of(handle.nonce))))
    status = (worker / "status").read_text()
    seen = {
        "own network": os.readlink(worker / "ns/net") != os.readlink("/proc/self/ns/net"),
        "own pids": os.readlink(worker / "ns/pid") != os.readlink("/proc/self/ns/pid"),
        "no capabilities": "CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status,
        "no files of the machine": not any((worker / "root" / path).exists() for path in (mine, "etc/passwd")),
        "read-only source": not os.access(worker / "root/src", os.W_OK) or _is_read_only(worker, "/src"),
        "no secrets on the command line": not any(
            "models-own-secret" in " ".join(proc_table.command_line(process.pid))
            for process in proc_table.list_of(handle.nonce)
        ),
    }
    await backend.stop(handle, grace_seconds=0)
    os.rmdir(f"/{mine}")
    assert [name for name, holds in seen.items() if not holds] == []


def _is_read_only(worker: Path, folder: str) -> bool:
    lines = (line.split() for line in (worker / "mounts").read_text().splitlines())
    return any(words[1] == folder and "ro" in words[3].split(",") for words in lines)


async def test_a_stop_is_graceful_and_leaves_only_the_log(backend: ProcessBackend, make_spec: MakeSpec) -> None:
    handle = await backend.start(make_spec("echo"))
    await ready(handle)
    await backend.stop(handle)
    assert await gone(handle) and not await backend.is_alive(handle)
    assert "Server shutdown complete" in await backend.read_log(handle)
    assert await backend.list_running() == []


async def test_a_model_that_does_not_listen_is_killed(backend: ProcessBackend, make_spec: MakeSpec) -> None:
    handle = await backend.start(make_spec("sleeper"))
    await ready(handle)
    async with Coglet(handle.endpoint) as coglet:
        await coglet.start("p1", {"seconds": 600, "in_c": True})
    await backend.stop(handle, grace_seconds=0.3)
    assert await gone(handle)


async def test_a_worker_orphaned_by_its_servers_death_is_killed_too(
    backend: ProcessBackend, make_spec: MakeSpec
) -> None:
    handle = await backend.start(make_spec("sleeper"))
    await ready(handle)
    async with Coglet(handle.endpoint) as coglet:
        await coglet.start("p1", {"seconds": 600, "in_c": True})
    while "sleeping" not in await backend.read_log(handle):  # before, the worker would see its server go
        await asyncio.sleep(0.02)
    os.kill(handle.pid, signal.SIGKILL)
    while await backend.is_alive(handle):
        await asyncio.sleep(0.01)
    assert not await gone(handle)
    await backend.stop(handle)
    assert await gone(handle)


async def test_an_instance_outlives_its_runner_and_is_taken_over(
    backend: ProcessBackend, make_spec: MakeSpec, request: pytest.FixtureRequest
) -> None:
    """A runner in another process starts it and is killed with SIGKILL."""
    spec = make_spec("echo")
    sandboxed = str(request.node.callspec.params["backend"])
    arguments = [str(backend._instances_dir), sandboxed, spec.instance_id, spec.nonce, str(spec.source_dir)]
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, str(ADOPTED), *arguments], cwd=Path(__file__).parents[2]
    )
    assert done.returncode == -signal.SIGKILL
    [handle] = await backend.list_running()
    assert (handle.instance_id, handle.nonce) == (spec.instance_id, spec.nonce)
    stored = Handle.from_dict(orjson.loads(orjson.dumps(handle.to_dict())))
    await ready(stored)
    await backend.stop(stored)
    assert await gone(stored) and await backend.list_running() == []


async def test_what_a_runner_half_started_is_removed(backend: ProcessBackend, make_spec: MakeSpec) -> None:
    handle = await backend.start(make_spec("echo"))
    path = backend._instances_dir / handle.instance_id / "handle.json"
    path.write_bytes(orjson.dumps({**handle.to_dict(), "pid": 0, "start_ticks": 0}))  # died before it knew the pid
    assert await ProcessBackend(backend._instances_dir, sandboxed=handle.sandboxed).list_running() == []
    assert await gone(handle)


async def test_a_stranger_with_an_instances_pid_is_left_alone(backend: ProcessBackend) -> None:
    stranger = await asyncio.create_subprocess_exec("sleep", "60", start_new_session=True)
    try:
        process = proc_table.find(stranger.pid)
        assert process
        for ticks in (process.start_ticks, process.start_ticks - 1):
            handle = Handle("process", "lost", "tcp://127.0.0.1:1", secrets.token_hex(8), stranger.pid, ticks)
            await backend.stop(handle, grace_seconds=0.05)
        assert proc_table.is_running(process.pid, process.start_ticks)
    finally:
        stranger.kill()
        await stranger.wait()


async def test_a_server_that_cannot_start_says_why(
    backend: ProcessBackend, make_spec: MakeSpec, short_dir: Path
) -> None:
    bare = short_dir / f"venv-{secrets.token_hex(3)}"
    await asyncio.to_thread(subprocess.run, [sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    with pytest.raises(StartFailed, match="No module named 'cog'"):
        await backend.start(make_spec("echo", environment_dir=bare))
    assert await backend.list_running() == []
    shutil.rmtree(bare)


async def test_a_setup_that_crashes_is_told_by_the_log(backend: ProcessBackend, make_spec: MakeSpec) -> None:
    handle = await backend.start(make_spec("fail", env={"FAIL_IN_SETUP": "1"}))
    async with asyncio.timeout(20), Coglet(handle.endpoint) as coglet:
        while (await coglet.health()).status != "SETUP_FAILED":
            await asyncio.sleep(0.02)
    log = await backend.read_log(handle)
    assert "looking for weights\n" in instance_logs.setup_text(log)
    assert "RuntimeError: weights missing" in instance_logs.plain(log)


async def test_its_stats_are_of_all_its_processes(backend: ProcessBackend, make_spec: MakeSpec) -> None:
    handle = await backend.start(make_spec("echo"))
    await ready(handle)
    stats = await backend.stats(handle)
    assert stats.processes >= 2 and stats.rss_bytes > 50_000_000 and stats.cpu_seconds > 0


async def test_its_log_can_be_followed_to_its_end(backend: ProcessBackend, make_spec: MakeSpec) -> None:
    handle = await backend.start(make_spec("echo"))
    await ready(handle)
    lines = list[str]()

    async def follow() -> None:
        async for line in backend.follow_log(handle):
            lines.append(line)

    task = asyncio.create_task(follow())
    async with Coglet(handle.endpoint) as coglet:
        await coglet.start("p1", {"text": "abc"})
        while not any("echoing 3 characters" in line for line in lines):
            await asyncio.sleep(0.02)
    await backend.stop(handle)
    await asyncio.wait_for(task, 5)
    assert "Event loop exiting" in lines[-1] or "shutdown" in "".join(lines)


async def test_a_taken_port_is_tried_once_more(
    short_dir: Path, make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = ProcessBackend(short_dir / "ports", sandboxed=False)
    first = await backend.start(make_spec("echo"))
    taken, free = int(first.endpoint.rpartition(":")[2]), launch.free_port()
    ports = iter([taken, free])  # as if somebody had been quicker
    monkeypatch.setattr(launch, "free_port", lambda: next(ports))
    second = await backend.start(make_spec("echo"))
    endpoint = second.endpoint
    for handle in (first, second):
        await backend.stop(handle, grace_seconds=0)
    assert endpoint == f"tcp://127.0.0.1:{free}"


async def test_a_model_that_takes_too_much_memory_dies_alone(backend: ProcessBackend, make_spec: MakeSpec) -> None:
    if (probe := cgroups.create("probe", memory_bytes=2**30, processes_max=None)) is None:
        pytest.skip("control groups cannot be made here")
    probe.remove()
    handle = await backend.start(make_spec("crash", memory_bytes=400 * 2**20))
    await ready(handle)
    async with asyncio.timeout(20), Coglet(handle.endpoint) as coglet:
        await coglet.start("p1", {"how": "memory"})
        while not (await coglet.health()).has_dead_worker:
            await asyncio.sleep(0.05)
    stats = await backend.stats(handle)
    assert stats.oom_kills == 1
    await backend.stop(handle)
    assert cgroups.find(handle.instance_id) is None


async def test_a_log_is_cut_to_its_last_half_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("ab") as writer:
        writer.write(b"".join(b"line %03d\n" % number for number in range(100)))
        writer.flush()
        assert instance_logs.trim(path, 500)
        writer.write(b"after\n")
    lines = path.read_text().splitlines()
    assert (lines[0], lines[-2:]) == ("line 073", ["line 099", "after"])


async def test_plain_text_is_made_of_json_lines() -> None:
    hi, x = '{"fields":{"message":"hi"},"target":"coglet::setup"}', '{"fields":{"message":"x"},"target":"coglet"}'
    log = f"{hi}\nTraceback\n{x}\n"
    assert instance_logs.plain(log) == "hi\nTraceback\nx\n"
    assert instance_logs.setup_text(log) == "hi\n"


async def test_a_sandbox_that_is_wanted_but_missing_refuses_to_start(
    short_dir: Path, make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    sandbox.detect.cache_clear()
    try:
        with pytest.raises(StartFailed, match="not installed"):
            await ProcessBackend(short_dir / "none", sandboxed=True).start(make_spec("echo"))
        assert not ProcessBackend(short_dir / "none").isolation.sandboxed
    finally:
        sandbox.detect.cache_clear()
