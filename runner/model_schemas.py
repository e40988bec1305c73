"""Make a version's schema document: run `build_tools/schema_generator.py` inside the version's environment.

It imports the model, so it runs without network, in the sandbox where there is one, within limits of time and memory;
what comes back is the model's word and is checked.  Source: cog-runtime.md 3.5, 8 (items 4-8).
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings

from models_catalog import schemas
from models_catalog.cog_config import CogConfig
from runner import build_commands
from runner.backends import sandbox
from runner.build_commands import StepLog
from runner.build_errors import BuildFailed
from runner.environments import Environment

_GENERATOR = Path(__file__).parent / "build_tools" / "schema_generator.py"
_TIMEOUT_SECONDS = 300
_MEMORY_KIB = 32 * 1024**2  # of addresses, not of memory in use: libraries reserve far more than they touch
_MOST_BYTES = 2_000_000
_MOST_SLOTS = 64


@dataclass(frozen=True, slots=True)
class ModelSchema:
    """The document, and how many predictions an instance takes at once."""

    document: dict[str, Any]
    max_concurrency: int


def generate(environment: Environment, config: CogConfig, log: StepLog) -> ModelSchema:
    """The schema of the model in `environment`. Raises BuildFailed, which says file, line and parameter."""
    with tempfile.TemporaryDirectory(prefix="modelyard-schema-") as out:
        ended = build_commands.run(
            _limited(_command(environment, config.environment, Path(out))),
            log,
            timeout_seconds=_TIMEOUT_SECONDS,
            cwd=environment.source_dir,
            what="Reading the model's inputs and outputs",
            env={"HOME": out, "TMPDIR": out, **_plain_env(config.environment)},
        )
        if ended.code == 2:
            raise BuildFailed("\n".join(ended.output[-20:]), "Mend the model's code, and submit it again.")
        if ended.code:
            raise BuildFailed(
                f"Importing the model ended its process (code {ended.code}).", "Run it locally with the same packages."
            )
        return _read(Path(out) / "schema.json")


def _command(environment: Environment, variables: Mapping[str, str], out: Path) -> list[str]:
    python = str(environment.venv_dir / "bin" / "python")
    if settings.SANDBOX == "off" or not sandbox.detect().sandboxed:
        return [python, str(_GENERATOR), str(environment.source_dir), "--out", str(out / "schema.json")]
    binds = [(folder, str(folder)) for folder in (*sandbox.python_homes(environment.venv_dir), environment.venv_dir)]
    binds += [(environment.source_dir, "/src"), (_GENERATOR, "/run/schema_generator.py")]
    command = ["bwrap", *sandbox.walls(), "--die-with-parent", "--tmpfs", "/tmp"]
    for path, inside in binds:
        command += ["--ro-bind", str(path), inside]
    command += ["--bind", str(out), "/run/out", "--chdir", "/src", "--clearenv"]
    for name, value in {**_plain_env(variables), "HOME": "/tmp", "PATH": "/usr/local/bin:/usr/bin:/bin"}.items():
        command += ["--setenv", name, value]
    return [*command, python, "/run/schema_generator.py", "/src", "--out", "/run/out/schema.json"]


def _plain_env(variables: Mapping[str, str]) -> dict[str, str]:
    return {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", **variables}


def _limited(command: list[str]) -> list[str]:
    return ["/bin/sh", "-c", f'ulimit -c 0; ulimit -v {_MEMORY_KIB}; exec "$@"', "schema", *command]


def _read(path: Path) -> ModelSchema:
    """The generator's file: written beside a stranger's code, so believed in nothing."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise BuildFailed("The model's schema is larger than 2 MB.", "Describe its inputs more briefly.")
        found = orjson.loads(content)
        document, slots = found["schema"], found["max_concurrency"]
        schemas.check_document(document)
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise BuildFailed(
            "The model's schema could not be read.", "Does importing the model end the process?"
        ) from error
    except schemas.SchemaInvalid as error:
        raise BuildFailed(str(error), "Change the model's inputs or outputs.") from error
    if not isinstance(slots, int) or isinstance(slots, bool) or not 1 <= slots <= _MOST_SLOTS:
        raise BuildFailed(f"The model's concurrency must be from 1 to {_MOST_SLOTS}.", "Change @cog.concurrent(max=…).")
    return ModelSchema(document, slots)
