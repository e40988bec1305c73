"""Gives its text back. The plainest model: one string in, one string out, a log line, a metric."""

from cog import BaseRunner, Input


class Runner(BaseRunner):
    def run(
        self,
        text: str = Input(description="What to give back."),
        repeat: int = Input(default=1, ge=1, le=1000, description="How many times, joined by spaces."),
        shout: bool = Input(default=False, description="In capital letters."),
    ) -> str:
        print(f"echoing {len(text)} characters")
        self.record_metric("characters", len(text))
        answer = " ".join([text] * repeat)
        return answer.upper() if shout else answer
