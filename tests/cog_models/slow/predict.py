"""Takes its time, in setup and in a run, and can be canceled at any moment (it sleeps in small steps)."""

import os
import time

from cog import BaseRunner, Input


def _pass_time(seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(0.01, left))


class Runner(BaseRunner):
    def setup(self) -> None:
        seconds = float(os.environ.get("SETUP_SECONDS", "0"))
        print(f"setting up for {seconds} s")
        _pass_time(seconds)

    def run(self, seconds: float = Input(default=1.0, ge=0, le=600, description="How long a run takes.")) -> str:
        print(f"working for {seconds} s")
        _pass_time(seconds)
        return f"worked {seconds} s"
