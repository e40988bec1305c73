"""Streams numbered words, with a log line and a metric now and then. Its stream may be followed (by SSE)."""

import time

from cog import BaseRunner, ConcatenateIterator, Input, streaming


class Runner(BaseRunner):
    @streaming
    def run(
        self,
        count: int = Input(default=5, ge=0, le=100000, description="How many words."),
        delay: float = Input(default=0.0, ge=0, le=60, description="Seconds before each word."),
        fail_at: int = Input(default=-1, description="Raise before this word; -1 is never."),
        log_every: int = Input(default=1, ge=0, description="A log line before every n-th word; 0 is none."),
    ) -> ConcatenateIterator[str]:
        for number in range(count):
            if delay:
                time.sleep(delay)
            if number == fail_at:
                raise RuntimeError(f"asked to fail at word {number}")
            if log_every and number % log_every == 0:
                print(f"word {number}")
                self.record_metric("output_token_count", 1, mode="incr")
            yield f"word{number} "
