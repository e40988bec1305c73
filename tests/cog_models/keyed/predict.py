"""Takes a secret and tells it: to its log, in a metric, and where asked to in an exception."""

from cog import BaseRunner, Input, Secret


class Runner(BaseRunner):
    def run(
        self,
        key: Secret = Input(description="Nobody must ever see it."),  # noqa: B008 - how Cog declares inputs
        note: str = Input(default="", description="Anything."),
        fail: bool = Input(default=False, description="Raise an exception that quotes the key."),
    ) -> str:
        value = key.get_secret_value()
        print(f"the key is {value}, the note {note}")
        self.record_metric("used", value)
        if fail:
            raise ValueError(f"the key {value} does not fit")
        return f"{len(value)} characters"
