"""Has no inputs at all, and streams: the edge case of attaching to a running prediction."""

import time

from cog import BaseRunner, ConcatenateIterator, streaming


class Runner(BaseRunner):
    @streaming
    def run(self) -> ConcatenateIterator[str]:
        for word in ("hello ", "world"):
            time.sleep(0.2)
            print(word.strip())
            yield word
