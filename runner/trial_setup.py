"""The last step of a build: start one instance as the runner would, wait for its set-up, stop it.

Trial instances live in a folder of their own, so that no runner takes them for its own or for lost ones.
Source: cog-runtime.md 4.3, 8 (items 20, 21).
"""

import asyncio
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from runner.backends import instance_logs
from runner.backends.base import Handle, InstanceSpec, StartFailed
from runner.backends.process import ProcessBackend
from runner.build_commands import StepLog
from runner.build_errors import BuildFailed, ClaimLost
from runner.coglet import Coglet, Health, Unreachable
from runner.environments import ReadyEnvironment

_POLL_SECONDS = 0.1
_WHAT_TO_MEND = "Mend setup() or what it needs (the log above has what the model printed), and submit it again."


@dataclass(frozen=True, slots=True)
class Trial:
    """One try. claim: of the build, the name of its instance."""

    version_id: str
    claim: str
    environment: ReadyEnvironment
    max_concurrency: int
    memory_bytes: int | None


def run(trial: Trial, log: StepLog) -> float:
    """Seconds that the set-up took. The model's own words go to the log. Raises BuildFailed, ClaimLost."""
    return asyncio.run(_run(trial, log))


def stop_remains(claims: set[str]) -> None:
    """Stop trial instances of dead workers. claims: of the builds that run now."""
    asyncio.run(_stop_remains(claims))


async def _stop_remains(claims: set[str]) -> None:
    backend = _backend()
    for handle in await backend.list_running():
        if handle.instance_id not in claims:
            await backend.stop(handle, grace_seconds=0)


def _backend() -> ProcessBackend:
    sandboxed = {"auto": None, "require": True, "off": False}[settings.SANDBOX]
    return ProcessBackend(_folder(), sandboxed=sandboxed)


def _folder() -> Path:
    return Path(settings.VAR_DIR) / "trials"


async def _run(trial: Trial, log: StepLog) -> float:
    backend = _backend()
    spec = InstanceSpec(
        instance_id=trial.claim,
        version_id=trial.version_id,
        environment_dir=trial.environment.venv_dir,
        source_dir=trial.environment.source_dir,
        reference=trial.environment.reference,
        nonce=secrets.token_hex(16),
        max_concurrency=trial.max_concurrency,
        env=trial.environment.env,
        setup_timeout_seconds=settings.SETUP_TIMEOUT_SECONDS,
        memory_bytes=trial.memory_bytes,
    )
    started = time.monotonic()
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        loop.call_soon_threadsafe(interrupted.set)

    log.interrupt = interrupt
    try:
        handle = await backend.start(spec)
    except StartFailed as error:
        raise BuildFailed(f"The model server did not start: {error}") from error
    try:
        health = await _until_set_up(backend, handle, interrupted, started)
        seconds = time.monotonic() - started
        written = await backend.read_log(handle)
        log.line(instance_logs.setup_text(written).rstrip("\n") or "(setup printed nothing)")
    finally:
        log.interrupt = lambda: None
        await backend.stop(handle, grace_seconds=2.0)
        shutil.rmtree(_folder() / trial.claim, ignore_errors=True)
    if not health.is_set_up:
        raise BuildFailed(_reason(health), _WHAT_TO_MEND)
    return seconds


async def _until_set_up(backend: ProcessBackend, handle: Handle, interrupted: asyncio.Event, started: float) -> Health:
    async with Coglet(handle.endpoint) as coglet:
        while not interrupted.is_set():
            try:
                health = await coglet.health()
            except Unreachable as error:
                if not await backend.is_alive(handle):
                    return Health("SETUP_FAILED", setup_logs="the model's process ended")
                health = Health("STARTING", error=str(error))
            if health.is_set_up or health.status == "SETUP_FAILED":
                return health
            if time.monotonic() - started > settings.SETUP_TIMEOUT_SECONDS + 30:
                return Health("SETUP_FAILED", setup_logs=f"took longer than {settings.SETUP_TIMEOUT_SECONDS} seconds")
            await asyncio.sleep(_POLL_SECONDS)
    raise ClaimLost


def _reason(health: Health) -> str:
    """The server's one line without what the framework put before it.  Source: cog-runtime.md 4.3."""
    line = (health.setup_logs.strip().splitlines() or ["unknown reason"])[-1]
    words = line.rpartition("Setup failed: ")[2].removeprefix("setup failed: ")
    if "worker crashed" in words:
        words = "its process ended by itself (out of memory, os._exit or a signal)"
    return f"The model's set-up failed: {words}"
