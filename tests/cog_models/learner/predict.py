"""Says what it was trained on."""

from pathlib import Path

from cog import BaseRunner


class Runner(BaseRunner):
    def setup(self, weights: str | None = None) -> None:
        self.learned = Path(weights).read_text() if weights else "nothing"

    def run(self) -> str:
        return f"I have learned {self.learned}"
