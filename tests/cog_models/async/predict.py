"""Asynchronous, up to four runs at once (the server must be started with COG_MAX_CONCURRENCY=4)."""

import asyncio

from cog import BaseRunner, Input


class Runner(BaseRunner):
    async def setup(self) -> None:
        self.running = 0

    async def run(
        self,
        text: str = Input(default="hi", description="What to give back."),
        seconds: float = Input(default=0.0, ge=0, le=600, description="How long a run takes."),
    ) -> dict:
        self.running += 1
        try:
            print(f"{text} is one of {self.running}")
            await asyncio.sleep(seconds)
            return {"text": text, "at_once": self.running}
        finally:
            self.running -= 1
