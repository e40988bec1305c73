"""A runner that starts one instance and is killed at once: python start_and_die.py DIR SANDBOXED ID NONCE SOURCE."""

import asyncio
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, os.getcwd())

from runner.backends.base import InstanceSpec
from runner.backends.process import ProcessBackend

folder, sandboxed, instance_id, nonce, source = sys.argv[1:]
backend = ProcessBackend(Path(folder), sandboxed=sandboxed == "True")
spec = InstanceSpec(instance_id, "v", Path(sys.prefix), Path(source), "predict.py:Runner", nonce)
asyncio.run(backend.start(spec))
os.kill(os.getpid(), signal.SIGKILL)
