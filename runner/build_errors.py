"""Why a build ends early: the publisher's mistake, in words, or a claim that went to another worker."""


class BuildFailed(Exception):
    """The model cannot be built as it is. message: what is wrong; hint: what to mend. For its owner."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}\n{hint}".strip())
        self.message = message
        self.hint = hint


class ClaimLost(Exception):
    """The build is another worker's now (this one was silent for too long): stop, and write nothing more."""
