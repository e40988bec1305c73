"""The first moments of an instance's process: its command, environment, limits and log file.

Source: cog-runtime.md 4.1 (environment), docker-lab.md 5, 7.2.
"""

import os
import socket
import subprocess
from pathlib import Path

from runner.backends import cgroups, proc_table, sandbox
from runner.backends.base import InstanceSpec

OPEN_FILES_MAX = 4096
# Enough for any stream a model makes in practice: 50,000 events cost the server about 13 MB while it runs.
STREAM_HISTORY_EVENTS = 100_000


def launch(
    spec: InstanceSpec, folder: Path, env: dict[str, str], *, port: int, sandboxed: bool
) -> subprocess.Popen[bytes]:
    """Start the server, in its own session, its output appended to `folder/log`.

    env: see `environment`. In a sandbox the socket appears as `folder/run/s`.
    """
    group = cgroups.create(spec.instance_id, memory_bytes=spec.memory_bytes, processes_max=spec.processes_max)
    command = _server_command(spec)
    inherited = [sandbox.arguments_file(env)] if sandboxed else []
    if sandboxed:
        command = sandbox.wrap(spec, run_dir=folder / "run", port=port, arguments=inherited[0], server=command)
        # Bubblewrap's own processes need the nonce too: from outside, that is how they are recognised.
        env = {"PATH": os.defpath, proc_table.NONCE_VARIABLE: spec.nonce}
    try:
        with (folder / "log").open("ab") as output:
            return subprocess.Popen(
                _limited(command, group.entrances if group else []),
                cwd=spec.source_dir,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=inherited,
            )
    finally:
        for descriptor in inherited:
            os.close(descriptor)


def _server_command(spec: InstanceSpec) -> list[str]:
    python = str(spec.environment_dir / "bin" / "python")
    return [
        python,
        "-m",
        "cog.server.http",
        "--host",
        "127.0.0.1",
        "--x-mode",
        spec.mode,
    ]


def environment(spec: InstanceSpec, *, port: int, tmp: str, weights: str = "") -> dict[str, str]:
    """All that the model gets to see: nothing of the platform's own. The worker is `python` from PATH.

    weights: the path of `spec.weights` as the model sees it.
    """
    stub = "COG_PREDICT_TYPE_STUB" if spec.mode == "predict" else "COG_TRAIN_TYPE_STUB"
    return {
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "COG_STREAM_HISTORY_CAPACITY": str(STREAM_HISTORY_EVENTS),
        **spec.env,
        **({"COG_WEIGHTS": weights} if weights else {}),
        "PATH": f"{spec.environment_dir / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "HOME": tmp,
        "TMPDIR": tmp,
        "PORT": str(port),
        stub: spec.reference,
        "COG_MAX_CONCURRENCY": str(spec.max_concurrency),
        "COG_SETUP_TIMEOUT": str(spec.setup_timeout_seconds),
        "MODELYARD_INSTANCE": spec.instance_id,
        proc_table.NONCE_VARIABLE: spec.nonce,
    }


def _limited(command: list[str], entrances: list[str]) -> list[str]:
    """Enter the control groups and set limits before the first instruction of the command itself; the pid stays."""
    steps = [f"ulimit -c 0 || :; ulimit -n {OPEN_FILES_MAX} || :; groups={len(entrances)}"]
    steps.append('while [ "$groups" -gt 0 ]; do echo $$ > "$1"; shift; groups=$((groups - 1)); done')
    return [
        "/bin/sh",
        "-c",
        "; ".join([*steps, 'exec "$@"']),
        "start-instance",
        *entrances,
        *command,
    ]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
