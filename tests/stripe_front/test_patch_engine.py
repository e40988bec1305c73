"""The changes that let the engine run on Python 3.13."""

from tests.stripe_front.patch_engine import patched

LAZY = "from __future__ import annotations\n"


def test_bare_lists_of_exceptions_get_their_brackets():
    source = "try:\n    pass\nexcept OSError, ast.Error:\n    pass\nexcept ValueError:\n    pass\n"
    assert patched(source) == f"{LAZY}{source.replace('OSError, ast.Error', '(OSError, ast.Error)')}"


def test_annotations_become_lazy_after_the_docstring_and_once():
    once = patched('"""One.\n\nMore."""\n\nimport os\n')
    assert once == f'"""One.\n\nMore."""\n{LAZY}\nimport os\n'
    assert patched(once) == once


def test_an_empty_module_stays_empty():
    assert patched("") == ""
