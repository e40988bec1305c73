"""What a supervisor runs: anything with a name, a command, a signal that stops it and an answer to "is it ready?"."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from marketplace.processes import dying_with_parent


class Child(Protocol):
    """What runs. `command` is called before each start; its RuntimeError or OSError is a failed start."""

    @property
    def name(self) -> str: ...
    @property
    def stop_signal(self) -> signal.Signals: ...
    def command(self) -> list[str]: ...
    def is_ready(self) -> bool: ...


@dataclass(frozen=True)
class Program:
    """A child that needs no preparation. `ready` says whether it can be used yet."""

    name: str
    argv: tuple[str, ...]
    ready: Callable[[], bool] = lambda: True
    stop_signal: signal.Signals = signal.SIGTERM

    def command(self) -> list[str]:
        """So that it ends when the supervisor is killed."""
        return dying_with_parent(self.argv, self.stop_signal)

    def is_ready(self) -> bool:
        """As the caller defined it."""
        return self.ready()
