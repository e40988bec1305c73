"""Raises an exception of its own: in a run, or in setup where FAIL_IN_SETUP is set."""

import os
import time

from cog import BaseRunner, Input


class Runner(BaseRunner):
    def setup(self) -> None:
        print("looking for weights")
        if os.environ.get("FAIL_IN_SETUP"):
            time.sleep(0.3)  # coglet loses prints of the last moments before a setup fails
            raise RuntimeError("weights missing")

    def run(self, message: str = Input(default="boom", description="The exception's text.")) -> str:
        print("about to fail")
        raise ValueError(message)
