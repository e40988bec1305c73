"""The smallest model worth running: it says your words back, one after another, as a stream."""

import time

from cog import BaseRunner, ConcatenateIterator, Input, streaming


class Runner(BaseRunner):
    @streaming
    def run(
        self,
        prompt: str = Input(description="Words to say", default="Hello from a model of your own!", max_length=10_000),
        count: int = Input(
            description="How many words to say; the prompt is repeated as needed", default=12, ge=1, le=10_000
        ),
        delay: float = Input(description="Seconds to wait before each word", default=0.2, ge=0, le=10),
    ) -> ConcatenateIterator[str]:
        words = prompt.split() or ["…"]
        for step in range(count):
            time.sleep(delay)
            print(f"step {step + 1} of {count}: {words[step % len(words)]}")
            yield words[step % len(words)] + (" " if step + 1 < count else "\n")
