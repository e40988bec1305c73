"""Learns a text by heart. Takes its time, fails or dies as it is told."""

import itertools
import os
import tempfile
import time

from cog import BaseModel, Input, Path

trained = itertools.count(1)  # by this process


class TrainingOutput(BaseModel):
    weights: Path
    nth: int


def train(
    text: Path = Input(description="What to learn."),  # noqa: B008
    seconds: float = Input(default=0.0, ge=0, le=600, description="How long it takes."),
    end: str = Input(default="well", choices=["well", "error", "exit"], description="How it ends."),
) -> TrainingOutput:
    print("learning")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.01)
    if end == "error":
        raise ValueError("nothing to learn here")
    if end == "exit":
        os._exit(3)
    weights = Path(tempfile.mkdtemp()) / "weights.txt"
    weights.write_text(text.read_text())
    return TrainingOutput(weights=weights, nth=next(trained))
