"""The command line of bubblewrap around a model server: no network, read-only system, own /tmp, no privileges.

Not `--die-with-parent`: an instance outlives the runner.  Source: docker-lab.md 7.2.
"""

import functools
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from runner.backends.base import InstanceSpec, Isolation

RELAY = Path(__file__).with_name("relay.py")
# A certificate that nobody has the key of. coglet reads all of the system's authorities anew for every prediction with
# a webhook: 8 ms of the 9 that accepting one took. Without a network there is nobody to trust.
NO_AUTHORITY = Path(__file__).with_name("no_authority.pem")
INSIDE_NO_AUTHORITY = "/run/no-authority.pem"
SERVER_PORT = 5000
CALLBACK_PORT = 5001
INSIDE_RUN = "/run/instance"
INSIDE_CALLBACKS = "/run/callbacks"
INSIDE_WEIGHTS = "/run/weights"
CALLBACK_BASE = f"http://127.0.0.1:{CALLBACK_PORT}"


@functools.cache
def detect() -> Isolation:
    """Whether bubblewrap really works here: found out once, by running it (containers often forbid it)."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return Isolation(False, "bubblewrap (bwrap) is not installed")
    try:
        done = subprocess.run(
            [bwrap, *walls(), "--tmpfs", "/tmp", "true"],
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Isolation(False, f"bubblewrap does not start: {error}")
    if done.returncode:
        return Isolation(
            False,
            f"bubblewrap does not work here: {done.stderr.decode(errors='replace').strip()}",
        )
    return Isolation(True)


def arguments_file(env: Mapping[str, str]) -> int:
    """A file descriptor with bubblewrap's arguments that set env, all the model gets to see; the caller closes it.

    Not in bubblewrap's environment, where LD_PRELOAD would act outside, nor in its command line, which all can read.
    """
    words = ["--clearenv"]
    for name, value in env.items():
        words += ["--setenv", name, value]
    descriptor = os.memfd_create("arguments", 0)
    os.write(descriptor, b"".join(word.encode() + b"\0" for word in words))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def wrap(spec: InstanceSpec, *, run_dir: Path, port: int, arguments: int, server: list[str]) -> list[str]:
    """The whole command. run_dir: the host's folder where the socket `s` will appear. port: the server's, inside.
    arguments: see `arguments_file`."""
    # By its whole path: the model's environment comes first in PATH and must not bring its own.
    command = [
        shutil.which("bwrap") or "bwrap",
        *walls(network=spec.network),
        "--args",
        str(arguments),
    ]
    command += ["--size", str(spec.tmp_bytes), "--tmpfs", "/tmp"]
    for folder in (*python_homes(spec.environment_dir), spec.environment_dir):
        command += ["--ro-bind", str(folder), str(folder)]
    command += ["--ro-bind", str(spec.source_dir), "/src", "--chdir", "/src"]
    command += [
        "--ro-bind",
        str(RELAY),
        "/run/relay.py",
        "--bind",
        str(run_dir),
        INSIDE_RUN,
    ]
    if not spec.network:
        command += [
            "--ro-bind",
            str(NO_AUTHORITY),
            INSIDE_NO_AUTHORITY,
            "--setenv",
            "SSL_CERT_FILE",
            INSIDE_NO_AUTHORITY,
        ]
    python = str(spec.environment_dir / "bin" / "python")
    relay = [
        python,
        "/run/relay.py",
        "--listen",
        f"{INSIDE_RUN}/s",
        "--port",
        str(port),
    ]
    if needs_callback_relay(spec):
        assert spec.callbacks_socket
        # The folder, not the socket: a restarted runner makes a new socket of the same name.
        command += ["--ro-bind", str(spec.callbacks_socket.parent), INSIDE_CALLBACKS]
        relay += [
            "--callbacks",
            f"{INSIDE_CALLBACKS}/{spec.callbacks_socket.name}:{CALLBACK_PORT}",
        ]
    if spec.weights:
        command += ["--ro-bind", str(spec.weights), inside_weights(spec)]
    for device in spec.devices:
        command += ["--dev-bind", device, device]
    return [*command, *relay, "--", *server]


def inside_weights(spec: InstanceSpec) -> str:
    """Where the model finds its weights, under their own name; "" without any."""
    return f"{INSIDE_WEIGHTS}/{spec.weights.name}" if spec.weights else ""


def needs_callback_relay(spec: InstanceSpec) -> bool:
    """With the machine's network it calls the runner's listener directly, and our fixed ports could be taken."""
    return spec.callbacks_socket is not None and not spec.network


def walls(*, network: bool = False) -> list[str]:
    """bubblewrap's options that shut everything out; what may be seen is bound after them."""
    walls = [
        "--unshare-all",
        "--new-session",
        "--cap-drop",
        "ALL",
        "--uid",
        "1000",
        "--gid",
        "1000",
    ]
    walls += [
        "--hostname",
        "model",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--ro-bind",
        "/usr",
        "/usr",
    ]
    for name in ("bin", "sbin", "lib", "lib64"):
        folder = Path("/", name)
        if folder.is_symlink():
            walls += ["--symlink", f"usr/{name}", f"/{name}"]
        elif folder.exists():
            walls += ["--ro-bind", f"/{name}", f"/{name}"]
    for path in ("/etc/ssl", "/etc/ld.so.cache", "/etc/localtime"):
        walls += ["--ro-bind-try", path, path]
    if network:
        walls.append("--share-net")
        for path in ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"):
            walls += ["--ro-bind-try", path, path]
    return walls


def python_homes(environment_dir: Path) -> list[Path]:
    """Folders of the interpreter behind a virtual environment that are not part of /usr: its real one and, where a link
    leads there, the one its configuration names."""
    homes = [(environment_dir / "bin" / "python").resolve().parent.parent]
    for line in (environment_dir / "pyvenv.cfg").read_text().splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "home":
            homes.append(Path(value.strip()).parent)
    return [home for home in dict.fromkeys(homes) if not home.is_relative_to("/usr")]
