"""Its process dies without a word: in a run, or in setup where CRASH_IN_SETUP is set."""

import os
import signal
import time

from cog import BaseRunner, Input


class Runner(BaseRunner):
    def setup(self) -> None:
        if os.environ.get("CRASH_IN_SETUP"):
            os._exit(3)

    def run(
        self,
        how: str = Input(
            default="exit", choices=["exit", "signal", "memory", "no"], description="How to die, if at all."
        ),
        after: float = Input(default=0.0, ge=0, le=60, description="Seconds before that."),
    ) -> str:
        print("about to crash")
        time.sleep(after)
        if how == "exit":
            os._exit(3)
        if how == "signal":
            os.kill(os.getpid(), signal.SIGKILL)
        hoard = []
        while how == "memory" and len(hoard) < 4096:
            hoard.append(bytearray(os.urandom(1)) * 1_000_000)
        return "alive"
