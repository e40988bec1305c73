"""Wire shapes as files: `golden(name, document)` compares with tests/golden/<name>.json.

What differs each time (ids, times, addresses) is replaced by its kind first. `UPDATE_GOLDEN=1` writes the files anew.
"""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "golden"
_KINDS = [
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"), "<time>"),
    (re.compile(r"\b[0-9a-hjkmnp-tv-z]{52}\b"), "<token>"),
    (re.compile(r"\b[0-9a-hjkmnp-tv-z]{26}\b"), "<id>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<version>"),
    (re.compile(r"http://localhost:\d+"), "<site>"),
]


@pytest.fixture
def golden() -> Callable[[str, Any], None]:
    """Compare a document with the one on file."""

    def compare(name: str, document: Any) -> None:
        path = FOLDER / f"{name}.json"
        shown = json.loads(_shape(json.dumps(document)))
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(json.dumps(shown, indent=2) + "\n")
        assert shown == json.loads(path.read_text())

    return compare


def _shape(text: str) -> str:
    for pattern, kind in _KINDS:
        text = pattern.sub(kind, text)
    return re.sub(r'("(?:total|predict)_time": )[\d.]+', r'\1"<seconds>"', text)
