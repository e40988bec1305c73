"""Calls that go wrong on purpose: which, how, and whether Stripe had done its work by then."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

How = Literal["drop", 409, 429, 500]
Act = Callable[[], object]
When = Literal["before", "after"]


@dataclass
class Fault:
    """The next `times` calls of the route fail; or `how` is a function, which runs while our side waits for the answer.

    kept: a repeat with the same key gets this answer too, as at Stripe.
    """

    method: str
    path: str  # a regular expression for the whole path, such as "/v1/refunds"
    how: How | Act
    when: When
    times: int = 1
    kept: bool = False

    def fits(self, method: str, path: str) -> bool:
        """Whether it is about this call."""
        return self.times > 0 and method == self.method and re.fullmatch(self.path, path) is not None


@dataclass
class Faults:
    """A world's faults, in the order they were asked for."""

    asked: list[Fault] = field(default_factory=list)
    _kept: dict[str, Fault] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, method: str, path: str, key: str | None) -> Fault | None:
        """The fault that this call meets, which is used up by that; key: its idempotency key."""
        with self._lock:
            if key and (kept := self._kept.get(key)):
                return Fault(method, path, kept.how, "before")
            found = next((one for one in self.asked if one.fits(method, path)), None)
            if found:
                found.times -= 1
                if found.kept and key:
                    self._kept[key] = found
            return found
