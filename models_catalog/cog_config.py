"""What a cog.yaml says, as values: the result of `models_catalog.cog_yaml`, already validated.

Source: cog-runtime.md 1.1 (top level), 1.2 (build), 1.3 (weights).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Reference:
    """A class or function in a file of the project, `path/file.py:Name`."""

    file: str
    name: str

    def __str__(self) -> str:
        return f"{self.file}:{self.name}"


@dataclass(frozen=True)
class SecretMount:
    """A build secret that one `build.run` command sees as a file."""

    id: str
    target: str


@dataclass(frozen=True)
class RunCommand:
    """A shell command of the build, one line, run before the project's source is there."""

    command: str
    mounts: tuple[SecretMount, ...] = ()


@dataclass(frozen=True)
class BuildConfig:
    """How the environment is made.

    python_version: "3.12" or "3.12.4".  requirements: the effective lines, from the file or the inline list, without
    `cog` and `coglet` (the builder installs those).  run: `build.run`, then the deprecated `pre_install`.
    """

    python_version: str | None = None
    python_requirements: str | None = None
    python_packages: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    system_packages: tuple[str, ...] = ()
    run: tuple[RunCommand, ...] = ()
    gpu: bool = False
    cuda: str | None = None
    cudnn: str | None = None
    sdk_version: str | None = None


@dataclass(frozen=True)
class Concurrency:
    """`max`: predictions at once in one instance. `default_target` is accepted and has no effect."""

    max: int
    default_target: int | None = None


@dataclass(frozen=True)
class WeightSource:
    uri: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class Weight:
    """Managed weights: files from `sources`, mounted read-only at `target`."""

    name: str
    target: str
    sources: tuple[WeightSource, ...]


@dataclass(frozen=True)
class Traces:
    enabled: bool = False
    sampler: str | None = None
    sampler_arg: str | None = None
    trace_header: str | None = None
    trace_header_format: str | None = None


@dataclass(frozen=True)
class CogConfig:
    """A whole cog.yaml. `predict` stands for `run` and its old name alike. `warnings`: what works but should go."""

    predict: Reference | None = None
    train: Reference | None = None
    build: BuildConfig | None = None
    image: str | None = None
    model: str | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    concurrency: Concurrency | None = None
    weights: tuple[Weight, ...] = ()
    traces: Traces | None = None
    warnings: tuple[str, ...] = ()
