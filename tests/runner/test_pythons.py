"""Which interpreters models may have."""

import sys
from pathlib import Path

import pytest

from runner import pythons


@pytest.fixture(autouse=True)
def _fresh():
    pythons.available.cache_clear()
    yield
    pythons.available.cache_clear()


def test_our_own_version_is_there_for_any_patch_release() -> None:
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert pythons.find(minor) is not None
    assert pythons.find(f"{minor}.1") == pythons.find(minor)


def test_a_version_nobody_installed_is_not_found() -> None:
    assert pythons.find("3.99") is None


def test_a_folder_we_may_not_read_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path, pattern: str) -> list[Path]:
        raise PermissionError(folder)

    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setattr(Path, "glob", refuse)  # root, who runs the tests in a container, may read everything
    assert pythons.available()
