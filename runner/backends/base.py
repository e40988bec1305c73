"""The interface that every way of running an instance keeps, and what crosses it.

Backends know no models and no database: the engine gives a spec, stores the handle, and brings it back after a restart.
An instance lives on when the runner dies.  Source: docker-lab.md 5.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Protocol, Self


class StartFailed(Exception):
    """The instance never came up. Its text is for the model's owner: the reason and the end of the log."""


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """What to start.

    environment_dir: the version's virtual environment. source_dir: its source with `.cog/openapi_schema.json`.
    reference: e.g. `predict.py:Predictor`. nonce: a secret of this one start, by which its processes are recognised.
    callbacks_socket: where the runner listens for webhooks; its folder must stay the same over restarts.
    memory_bytes, processes_max: None is no limit. devices: files below /dev the instance may use (GPUs).
    weights: a file the model may read, whose path its `setup(weights)` gets (`COG_WEIGHTS`).
    network: shares the machine's network, its loopback included, so for trusted versions only (a sandboxed one
    otherwise reaches nothing).
    """

    instance_id: str
    version_id: str
    environment_dir: Path
    source_dir: Path
    reference: str
    nonce: str
    mode: Literal["predict", "train"] = "predict"
    max_concurrency: int = 1
    env: Mapping[str, str] = field(default_factory=dict)
    setup_timeout_seconds: int = 600
    memory_bytes: int | None = None
    processes_max: int | None = 512
    tmp_bytes: int = 2 * 1024**3
    callbacks_socket: Path | None = None
    devices: tuple[str, ...] = ()
    weights: Path | None = None
    network: bool = False


@dataclass(frozen=True, slots=True)
class Handle:
    """An instance that was started. endpoint: `tcp://host:port` or `unix:///path`, for `Coglet`.

    callback_base: the address of the runner's listener as the instance sees it; "" where it is the listener's own.
    pid and start_ticks name a process for good: a pid alone may be given away again.
    """

    backend: str
    instance_id: str
    endpoint: str
    nonce: str
    pid: int = 0
    start_ticks: int = 0
    callback_base: str = ""
    sandboxed: bool = False

    def to_dict(self) -> dict[str, Any]:
        """For a JSON column."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Members that this version doesn't know are left out.  Raises TypeError if one it needs is missing."""
        known = {member.name for member in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})


@dataclass(frozen=True, slots=True)
class Stats:
    """Of all processes of an instance together. oom_kills: None where nobody counts them."""

    rss_bytes: int
    cpu_seconds: float
    processes: int
    oom_kills: int | None = None


@dataclass(frozen=True, slots=True)
class Isolation:
    """How well instances are kept apart from the machine. reason: why not sandboxed, for the operator."""

    sandboxed: bool
    reason: str = ""


class Backend(Protocol):
    """One way of running instances on one host. All calls may be repeated."""

    name: str

    @property
    def isolation(self) -> Isolation:
        """What this host allows; found out once."""
        ...

    async def start(self, spec: InstanceSpec) -> Handle:
        """Start it and wait until its server answers (setup may go on).  Raises StartFailed, leaving nothing."""
        ...

    async def stop(self, handle: Handle, *, grace_seconds: float = 5.0) -> None:
        """Ask it to end, then make it; nothing of it is left afterwards, log aside. Drain first: what runs is lost."""
        ...

    async def is_alive(self, handle: Handle) -> bool:
        """Its server's process is there; whether it is well, only its health tells."""
        ...

    async def stats(self, handle: Handle) -> Stats: ...

    async def read_log(self, handle: Handle, *, tail_bytes: int = 65536) -> str:
        """The end of what it wrote, as it wrote it: coglet's JSON lines (`instance_logs.plain` makes text of them)."""
        ...

    def follow_log(self, handle: Handle) -> AsyncIterator[str]:
        """Lines as they come, from now on, until the instance is gone."""
        ...

    async def list_running(self) -> list[Handle]:
        """What runs on this host, whoever started it: to be compared with the database after a restart."""
        ...
