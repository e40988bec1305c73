"""Make the engine's packages, written for Python 3.14, run on 3.13. Run by make, with the engine's own interpreter.

Two changes of form, none of meaning: `except A, B:` gets the brackets that 3.13 wants, and annotations are not
evaluated (in 3.14 they never are before somebody asks). Running it again changes nothing.
"""

import ast
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

_BARE_LIST = re.compile(r"^(\s*except )(\w[\w.]*(?:, \w[\w.]*)+)(:)", re.MULTILINE)
_LAZY = "from __future__ import annotations\n"
_PACKAGES = ("seahaven", "seahaven_stripe_world")


def patched(source: str) -> str:
    """The module's text as 3.13 takes it."""
    source = _BARE_LIST.sub(r"\1(\2)\3", source)
    if _LAZY in source:
        return source
    body = ast.parse(source).body
    if not body:
        return source
    first = body[0]
    has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    after = (first.end_lineno or 0) if has_docstring else 0
    lines = source.splitlines(keepends=True)
    return "".join([*lines[:after], _LAZY, *lines[after:]])


def _modules() -> Iterator[Path]:
    site_packages = Path(sysconfig.get_path("purelib"))
    for package in _PACKAGES:
        yield from (site_packages / package).rglob("*.py")


if __name__ == "__main__":
    for module in _modules():
        module.write_text(patched(module.read_text("utf-8")), "utf-8")
