"""Groups of tests that need something of the machine: which of them did not run, and why, at the end of every run.

A group is a marker. Where its need is missing its tests are skipped with the reason. REQUIRE_ALL_GROUPS=1 makes the run
fail then, so that no check disappears in silence; MISSING_GROUPS_ALLOWED names, by commas, what a machine may lack.
"""

import functools
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import pytest

from tests.stripe_front import environment as stripe_environment

ROOT = Path(__file__).parents[2]
REPLICATE2 = ROOT / "tests" / "contract" / "replicate2" / ".venv"
NODE_MODULES = ROOT / "tests" / "contract" / "node" / "node_modules"


def _docker() -> str | None:
    import docker

    try:
        docker.from_env(timeout=5).close()
    except docker.errors.DockerException:
        return "no Docker engine answers"
    return None


def _bwrap() -> str | None:
    if not shutil.which("bwrap"):
        return "bubblewrap is not installed"
    walls = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"]
    done = subprocess.run(walls, capture_output=True, text=True)
    return None if done.returncode == 0 else f"bubblewrap does not work here: {done.stderr.strip()}"


def _browser() -> str | None:
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed"
    return None if shutil.which("chromium") else "chromium is not installed"


def _node() -> str | None:
    if not shutil.which("node"):
        return "Node.js is not installed"
    return None if (NODE_MODULES / "replicate").is_dir() else "the npm packages are not installed (make installs them)"


def _replicate2() -> str | None:
    return None if (REPLICATE2 / ".installed").exists() else "replicate 2 is not installed (make installs it)"


def _stripe() -> str | None:
    return (
        None if stripe_environment.installed() else "the Stripe engine is not installed (make does, with Python 3.13)"
    )


def _go() -> str | None:
    return None if shutil.which("replicate") else "the command line program `replicate` is not installed"


GROUPS: dict[str, Callable[[], str | None]] = {
    "docker": _docker,
    "bwrap": _bwrap,
    "browser": _browser,
    "node": _node,
    "replicate2": _replicate2,
    "stripe": _stripe,
    "go": _go,
}
LeftOut = dict[str, dict[str, int]]  # group -> reason -> number of tests


@functools.cache
def missing(group: str) -> str | None:
    """Why the group's tests can't run on this machine, or None if they can."""
    return GROUPS[group]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of groups that can't run."""
    for item in items:
        for group in GROUPS:
            if item.get_closest_marker(group) and (reason := missing(group)):
                item.add_marker(pytest.mark.skip(reason=reason))


def left_out(reports: Sequence[pytest.TestReport]) -> LeftOut:
    """What was skipped of the groups, whoever skipped it: this plugin or the test itself."""
    found: LeftOut = {}
    for report in reports:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        groups = GROUPS.keys() & report.keywords.keys()
        # A test that is in a group which is here and in one which isn't belongs to the latter.
        for group in {group for group in groups if missing(group)} or groups:
            reasons = found.setdefault(group, {})
            reasons[reason] = reasons.get(reason, 0) + 1
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was left out."""
    found = left_out(terminalreporter.stats.get("skipped", []))
    if not found:
        return
    terminalreporter.section("groups of tests that did not run")
    for group, reasons in sorted(found.items()):
        for reason, count in reasons.items():
            terminalreporter.write_line(f"{group}: {count} not run: {reason.removeprefix('Skipped: ')}")
    if refused := _refused(found):
        terminalreporter.write_line(f"REQUIRE_ALL_GROUPS=1, but these did not run: {', '.join(refused)}", red=True)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """Fail a run in which a group that had to run did not."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and _refused(left_out(reporter.stats.get("skipped", []))) and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    return (yield)


def _refused(found: LeftOut) -> list[str]:
    if os.environ.get("REQUIRE_ALL_GROUPS") != "1":
        return []
    return sorted(found.keys() - set(os.environ.get("MISSING_GROUPS_ALLOWED", "").split(",")))
