"""coglet by itself: a plain process on 127.0.0.1 with a model of tests/cog_models."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.plugins.live_site import COG_MODELS, ROOT

_GENERATOR = ROOT / "runner" / "build_tools" / "schema_generator.py"
_START_SECONDS = 60.0


@contextmanager
def serving(model: str) -> Iterator[str]:
    """Its address, as long as the block runs. It has the schema that a build gives it."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        shutil.copytree(COG_MODELS / model, source)
        _write_schema(source)
        port = free_port()
        env = {
            "PATH": f"{Path(sys.prefix) / 'bin'}:{os.defpath}",
            "HOME": folder,
            "PORT": str(port),
            "COG_PREDICT_TYPE_STUB": "predict.py:Runner",
        }
        command = [sys.executable, "-m", "cog.server.http", "--host", "127.0.0.1"]
        with open(Path(folder) / "log", "wb") as log:
            process = subprocess.Popen(command, cwd=source, env=env, stdout=log, stderr=log)
        try:
            _wait(process, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _write_schema(source: Path) -> None:
    with tempfile.NamedTemporaryFile() as out:
        command = [sys.executable, str(_GENERATOR), str(source), "--out", out.name]
        subprocess.run(command, check=True, env={"PATH": f"{Path(sys.prefix) / 'bin'}:{os.defpath}"})
        document = json.loads(Path(out.name).read_text())
    (source / ".cog").mkdir(exist_ok=True)
    (source / ".cog" / "openapi_schema.json").write_text(json.dumps(document["schema"]))


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health-check", timeout=5) as answer:
                if json.load(answer)["status"] == "READY":
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError("coglet did not start")


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
