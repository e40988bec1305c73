"""Other servers with the same trivial model, where `--peers` has installed them (in .venv-peers).

None of them stores, authorizes and meters each request, apart from LiteLLM's check of its key.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from uv import find_uv_bin

from tests.bench.coglet_alone import free_port
from tests.bench.load import Call
from tests.plugins.live_site import ROOT

VENV = ROOT / ".venv-peers"
_PACKAGES = ("ray[serve]", "litellm[proxy]", "bentoml")
_PROGRAMS = Path(__file__).with_name("peer_programs")
_START_SECONDS = 120.0


def install() -> None:
    """Into an environment of their own, unless they are there: their requirements are not ours."""
    if not (VENV / "bin" / "ray").exists():
        uv, python = find_uv_bin(), str(VENV / "bin" / "python")
        subprocess.run([uv, "venv", "--clear", "--python", sys.executable, str(VENV)], check=True)
        subprocess.run([uv, "pip", "install", "--python", python, *_PACKAGES], check=True)


@contextmanager
def serving() -> Iterator[dict[str, Call]]:
    """Those that are installed, by name, as long as the block runs."""
    bin_dir = VENV / "bin"
    calls = {}
    with ExitStack() as stack:
        if (bin_dir / "ray").exists():
            port = stack.enter_context(_started([str(bin_dir / "python"), "ray_echo.py"]))
            calls["Ray Serve"] = Call(f"http://127.0.0.1:{port}/", {"input": {"text": "hello"}}, expects="hello")
        if (bin_dir / "bentoml").exists():
            words = [str(bin_dir / "bentoml"), "serve", "bento_echo:Echo", "--host", "127.0.0.1", "--port"]
            port = stack.enter_context(_started(words))
            calls["BentoML"] = Call(f"http://127.0.0.1:{port}/predict", {"text": "hello"}, expects="hello")
        if (bin_dir / "litellm").exists():
            port = stack.enter_context(_started([str(bin_dir / "litellm"), "--config", "litellm.yaml", "--port"]))
            body = {"model": "echo", "messages": [{"role": "user", "content": "hello"}]}
            headers = {"Authorization": "Bearer sk-bench"}
            calls["LiteLLM proxy"] = Call(f"http://127.0.0.1:{port}/chat/completions", body, headers, expects="hello")
        yield calls


@contextmanager
def _started(words: Sequence[str]) -> Iterator[int]:
    """A program that gets a port as its last word; yields the port once it answers there."""
    port = free_port()
    quiet = {"BENTOML_DO_NOT_TRACK": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    env = {**os.environ, "PATH": f"{VENV / 'bin'}:{os.environ['PATH']}", **quiet}
    with tempfile.NamedTemporaryFile() as log:
        process = subprocess.Popen(
            [*words, str(port)], cwd=_PROGRAMS, env=env, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _wait(process, port, Path(log.name))
            yield port
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                time.sleep(2)  # some listen before they can answer
                return
        time.sleep(0.1)
    raise RuntimeError(f"{process.args!r} did not start:\n{log.read_text(errors='replace')[-2000:]}")
