"""Which groups of tests could not run here, and why: said at the end, and an error where all are required.

A group is a marker with a requirement. REQUIRE_ALL_GROUPS=1 (set by CI) makes a missing one fail the session.
"""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

_NODE_MODULES = Path(__file__).parent.parent / "contract" / "node" / "node_modules"
_left_out: Counter[tuple[str, str]] = Counter()


def _chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return "" if found else "no Chromium is installed"


def _node() -> str:
    if shutil.which("node") is None:
        return "Node.js is not installed"
    return "" if (_NODE_MODULES / "replicate").exists() else "the npm packages are not installed (make node-packages)"


def _bwrap() -> str:
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    probe = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"]
    works = subprocess.run(probe, capture_output=True, check=False).returncode == 0
    return "" if works else "bubblewrap does not work here"


_MISSING: dict[str, Callable[[], str]] = {"browser": cache(_chromium), "node": cache(_node), "bwrap": cache(_bwrap)}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose group can't run here."""
    for group, missing in _MISSING.items():
        if item.get_closest_marker(group) and (reason := missing()):
            pytest.skip(f"group {group}: {reason}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name and count what was left out."""
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        _left_out[reason.removeprefix("Skipped: "), "skipped"] += 1
    if _left_out:
        terminalreporter.section("Not run here")
        for (reason, _), number in sorted(_left_out.items()):
            terminalreporter.write_line(f"{number} tests: {reason}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where all groups are required, a skip is a failure."""
    if os.environ.get("REQUIRE_ALL_GROUPS") != "1" or hasattr(session.config, "workerinput"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and reporter.stats.get("skipped") and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
