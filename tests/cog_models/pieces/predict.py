"""Streams exactly the pieces it is given: blanks, line ends and any letters must come through as they are."""

import json

from cog import BaseRunner, ConcatenateIterator, Input, streaming


class Runner(BaseRunner):
    @streaming
    def run(self, pieces: str = Input(description="A JSON list of strings.")) -> ConcatenateIterator[str]:
        yield from json.loads(pieces)
