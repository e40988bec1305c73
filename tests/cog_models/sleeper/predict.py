"""Does not listen to a cancel: swallows the exception, or sits in one long call into C."""

import time

from cog import BaseRunner, Input


class Runner(BaseRunner):
    def run(
        self,
        seconds: float = Input(default=2.0, ge=0, le=600, description="How long a run takes, whatever happens."),
        in_c: bool = Input(default=False, description="One sleep in C, where no exception can reach it."),
    ) -> str:
        print("sleeping")
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                time.sleep(left if in_c else min(0.02, left))
            except BaseException:  # noqa: BLE001 - being rude is this model's purpose
                print("not now")
        return "slept well"
