"""Which Python the engine gets: `python -m tests.stripe_front.interpreter` prints it, or fails when there is none."""

import sys

from runner import pythons

VERSION = "3.13"  # the least that can run the engine


def find() -> str | None:
    """The path of an interpreter of that version which runs, or None."""
    found = pythons.find(VERSION)
    return str(found) if found else None


if __name__ == "__main__":
    if not (path := find()):
        sys.exit(f"no Python {VERSION} on this machine")
    print(path)
