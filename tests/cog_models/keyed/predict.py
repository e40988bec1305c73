"""Takes a secret and tells it: to its log, and with how many characters it has."""

from cog import BaseRunner, Input, Secret


class Runner(BaseRunner):
    def run(
        self,
        key: Secret = Input(description="Nobody must ever see it."),  # noqa: B008 - how Cog declares inputs
        note: str = Input(default="", description="Anything."),
    ) -> str:
        value = key.get_secret_value()
        print(f"the key is {value}, the note {note}")
        return f"{len(value)} characters"
