"""Goes on writing from a prompt with an n-gram model of one book, token by token.

Without trained weights the book beside this file is counted at setup, which takes a tenth of a second.
"""

import time
from pathlib import Path
from urllib.request import urlopen

from cog import BaseRunner, ConcatenateIterator, Input, streaming
from ngram import NgramModel, tokenize

BOOK = Path(__file__).parent / "alice.txt"


class Runner(BaseRunner):
    def setup(self, weights: str | None = None) -> None:
        """weights: what `train` made, as a path or an address (cog hands over COG_WEIGHTS as it is)."""
        started = time.perf_counter()
        if weights:
            source = weights if "://" in weights or weights.startswith("data:") else Path(weights).absolute().as_uri()
            with urlopen(source) as answer:
                self.model = NgramModel.load(answer.read())
        else:
            self.model = NgramModel.train(BOOK.read_text(encoding="utf-8"))
        print(f"{len(self.model.vocabulary)} tokens known, ready in {time.perf_counter() - started:.2f} s")

    @streaming
    def run(
        self,
        prompt: str = Input(
            description="Text to go on from", default="Alice looked at the Cheshire Cat", max_length=20_000
        ),
        max_tokens: int = Input(
            description="How many words and punctuation marks to write", default=120, ge=1, le=4096
        ),
        temperature: float = Input(
            description="0 always takes the likeliest word; higher is more surprising", default=0.8, ge=0, le=2
        ),
        top_k: int = Input(description="Choose among so many likeliest words; 0 for all", default=50, ge=0, le=1000),
        seed: int = Input(description="The same seed gives the same text; -1 picks one", default=-1, ge=-1),
    ) -> ConcatenateIterator[str]:
        tokens = tokenize(prompt)
        self.record_metric("input_token_count", len(tokens))
        written = 0
        try:
            for token in self.model.generate(tokens, max_tokens, temperature, top_k, None if seed < 0 else seed):
                written += 1
                yield token
        finally:
            self.record_metric("output_token_count", written)
