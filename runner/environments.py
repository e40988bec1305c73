"""A version's environment on this host: its source, and a virtual environment with cog and what it requires.

Everything is made anew from the archive in `<version>.building-<claim>` and renamed to `<version>` when it is complete,
so a folder of that name is always whole, whatever died when. Virtual environments don't like to move; these are made
relocatable, and instances start `bin/python` itself. Only ready-made wheels are installed: until the sandboxed steps,
no foreign code has run.  Source: cog-runtime.md 5.2, 8 (items 8, 9).
"""

import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
from django.conf import settings
from django.core.files.storage import default_storage
from uv import find_uv_bin

from marketplace.lib.ids import new_id
from models_catalog import archives, cog_yaml
from models_catalog.cog_config import BuildConfig, CogConfig
from models_catalog.models import Version
from runner import build_commands, pythons, requirement_lines
from runner.build_commands import NoLog, StepLog
from runner.build_errors import BuildFailed

COG_VERSION = "0.23.1"
_BUILDING = ".building-"


class EnvironmentUnavailable(Exception):
    """A version that was built once can't be made again on this host; the text says why."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Paths of one version on this host."""

    folder: Path

    @property
    def venv_dir(self) -> Path:
        """For `InstanceSpec.environment_dir`."""
        return self.folder / "venv"

    @property
    def source_dir(self) -> Path:
        """The project, with `.cog/openapi_schema.json`."""
        return self.folder / "source"

    def write_schema(self, schema: object) -> None:
        """Where coglet looks for it.  Source: cog-runtime.md 3.1."""
        (self.source_dir / ".cog").mkdir(exist_ok=True)
        (self.source_dir / ".cog" / "openapi_schema.json").write_bytes(orjson.dumps(schema))


def find(version_id: str) -> Environment | None:
    """The complete environment of a version, if this host has it."""
    environment = Environment(settings.ENVIRONMENTS_DIR / version_id)
    return environment if environment.folder.is_dir() else None


def new_building(version_id: str, claim: str) -> Environment:
    """An empty place to build in."""
    environment = Environment(settings.ENVIRONMENTS_DIR / f"{version_id}{_BUILDING}{claim}")
    shutil.rmtree(environment.folder, ignore_errors=True)
    environment.folder.mkdir(parents=True)
    return environment


def complete(building: Environment, version_id: str) -> Environment:
    """Put a finished environment where instances look for it; one that is there already makes way."""
    final = Environment(settings.ENVIRONMENTS_DIR / version_id)
    if final.folder.exists():
        old = final.folder.rename(building.folder.with_name(f"{building.folder.name}-old"))
        building.folder.rename(final.folder)
        shutil.rmtree(old, ignore_errors=True)
    else:
        building.folder.rename(final.folder)
    return final


def discard(building: Environment) -> None:
    """Remove what a build that ended early left."""
    shutil.rmtree(building.folder, ignore_errors=True)


def unpack(version: Version, environment: Environment) -> CogConfig:
    """Write the source of a version; its cog.yaml. Raises BuildFailed if the archive is gone or bad."""
    try:
        with default_storage.open(version.archive) as stored, tempfile.TemporaryFile() as archive:
            shutil.copyfileobj(stored, archive)  # seekable, wherever it is stored
            archives.unpack(archive, environment.source_dir)
        return cog_yaml.load(environment.source_dir)
    except FileNotFoundError as error:
        raise BuildFailed("The stored archive is gone.", "Submit the archive again.") from error
    except archives.ArchiveRefused as error:
        raise BuildFailed(error.message) from error
    except cog_yaml.CogYamlInvalid as error:
        raise BuildFailed(f"cog.yaml: {error}", "Mend cog.yaml.") from error


def create_venv(environment: Environment, config: CogConfig, log: StepLog) -> None:
    """An empty virtual environment of the Python that cog.yaml asks for. Raises BuildFailed naming those there are."""
    wanted = (config.build.python_version if config.build else None) or "3.11"
    interpreter = pythons.find(wanted)
    if interpreter is None:
        there = ", ".join(pythons.available())
        raise BuildFailed(
            f"build.python_version is {wanted}, but this host has only Python {there}.",
            f"Set build.python_version to one of {there}, or ask the operator to install Python {wanted}.",
        )
    log.line(f"Python {wanted}: {interpreter}")
    command = _uv("venv", "--relocatable", "--python", str(interpreter), str(environment.venv_dir))
    ended = build_commands.run(command, log, timeout_seconds=60, cwd=environment.folder, what="Making the environment")
    if ended.code:
        raise BuildFailed("The environment could not be made:\n" + "\n".join(ended.output[-5:]))


def install(environment: Environment, config: CogConfig, log: StepLog) -> None:
    """cog and the model's requirements, resolved together. Raises BuildFailed that says which line to mend."""
    build = config.build or BuildConfig()
    file = build.python_requirements or "build.python_packages"
    requirement_lines.judge(build.requirements, environment.source_dir, file=file)
    # One call for all: it asks the environment's interpreter about itself before anything is installed, never after.
    python = str(environment.venv_dir / "bin" / "python")
    command = _uv("pip", "install", "--python", python, "--no-build", "--no-progress", "--link-mode", "hardlink")
    ended = build_commands.run(
        [*command, f"cog=={COG_VERSION}", *(["-r", "-"] if build.requirements else [])],
        log,
        timeout_seconds=settings.BUILD_TIMEOUT_SECONDS,
        cwd=environment.source_dir,
        what="Installing the packages",
        stdin="\n".join(build.requirements) + "\n",
    )
    if ended.code:
        raise requirement_lines.explain(ended.output, build, environment.source_dir)


def compile_packages(environment: Environment, log: StepLog) -> None:
    """Compile all packages once: instances may not write here. By the bare interpreter: no package's code runs."""
    interpreter = (environment.venv_dir / "bin" / "python").resolve()
    packages = next((environment.venv_dir / "lib").glob("python*/site-packages"))
    # Some packages carry files that don't compile; nobody imports those.
    build_commands.run(
        [str(interpreter), "-I", "-S", "-m", "compileall", "-qq", "-j", "0", str(packages)],
        NoLog(log),
        timeout_seconds=settings.BUILD_TIMEOUT_SECONDS,
        cwd=environment.folder,
        what="Compiling the packages",
    )


@dataclass(frozen=True, slots=True)
class ReadyEnvironment:
    """What an instance of a version is started with, as `InstanceSpec` wants it."""

    venv_dir: Path
    source_dir: Path
    reference: str
    env: Mapping[str, str]


def ensure_environment(version: Version, *, to_train: bool = False) -> ReadyEnvironment:
    """The environment of a version that can run, made again from its archive if this host lacks it.

    A trained version has its base's. to_train: for an instance that trains instead of predicting. Reads no rows where
    the version came with its base. Takes seconds to minutes then; two callers at once make it once.
    Raises EnvironmentUnavailable.
    """
    code = version.base or version
    environment = find(code.pk) or _make_again(code)
    variables = {str(name): str(value) for name, value in version.config.get("environment", {}).items()}
    reference = str(version.config.get("train" if to_train else "predict") or "")
    return ReadyEnvironment(environment.venv_dir, environment.source_dir, reference, variables)


def _make_again(version: Version) -> Environment:
    with _lock(version.pk):
        if environment := find(version.pk):
            return environment
        building = new_building(version.pk, new_id())
        try:
            config = unpack(version, building)
            create_venv(building, config, NoLog())
            install(building, config, NoLog())
            compile_packages(building, NoLog())
            building.write_schema(version.openapi_schema)
            return complete(building, version.pk)
        except BuildFailed as error:
            raise EnvironmentUnavailable(f"The environment could not be made on this host: {error}") from error
        finally:
            discard(building)


def remove_remains(claims: set[str]) -> None:
    """Remove what builds of dead workers left here. claims: of builds that run now."""
    for folder in settings.ENVIRONMENTS_DIR.glob(f"*{_BUILDING}*"):
        claim = folder.name.partition(_BUILDING)[2].removesuffix("-old")
        # `ensure_environment` has no claim: what is young may be at work.
        if claim not in claims and time.time() - folder.stat().st_mtime > 3 * settings.BUILD_TIMEOUT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _uv(*arguments: str) -> list[str]:
    cache = str(settings.UV_CACHE_DIR)
    return [find_uv_bin(), *arguments, "--cache-dir", cache, "--no-config", "--no-python-downloads", "--color", "never"]


@contextmanager
def _lock(version_id: str) -> Iterator[None]:
    settings.ENVIRONMENTS_DIR.mkdir(parents=True, exist_ok=True)
    with open(settings.ENVIRONMENTS_DIR / f".{version_id}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
