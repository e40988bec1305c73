"""Which requirement lines are refused, and how the installer's words become a line to mend."""

import pytest

from models_catalog.cog_config import BuildConfig
from runner.build_errors import BuildFailed
from runner.requirement_lines import explain, judge


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "mine.whl").write_bytes(b"")
    (tmp_path / "more.txt").write_text("requests\n-r deeper.txt\n")
    (tmp_path / "deeper.txt").write_text("# nothing\nurllib3\n")
    (tmp_path / "evil.txt").write_text("-r ../../etc/passwd\n")
    return tmp_path


@pytest.mark.parametrize(
    "line",
    [
        "numpy==2.1",
        "numpy[extra]>=1 ; python_version < '3.12'",
        "numpy # the newest",
        "torch @ https://download.example.test/torch.whl",
        "./wheels/mine.whl",
        "mine @ ./wheels/mine.whl",
        "-r more.txt",
        "--extra-index-url https://download.example.test/cpu",
        "--index-url=https://download.example.test/cpu",
        "--pre",
    ],
)
def test_lines_that_are_followed(folder, line):
    judge([line], folder)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-r /etc/passwd", "leads out of the project"),
        ("-r ../secret-key", "leads out of the project"),
        ("-r evil.txt", "leads out of the project"),
        ("-c ~/constraints.txt", "leads out of the project"),
        ("--requirement=/etc/shadow", "leads out of the project"),
        ("-r/etc/shadow", "leads out of the project"),
        ("-r missing.txt", "no such file"),
        ("-e .", "not supported"),
        ("--trusted-host example.test", "not supported"),
        ("--index-url http://example.test", "only https://"),
        ("--find-links /opt/wheels", "only https://"),
        ("git+https://github.com/a/b", "version control"),
        ("b @ git+https://github.com/a/b", "version control"),
        ("file:///etc/passwd", "only https://"),
        ("a @ file:///etc/a.whl", "only https://"),
        ("a @ http://example.test/a.whl", "only https://"),
        ("/etc/a.whl", "leads out of the project"),
        ("./more.txt", "ready-made wheels"),
        (".", "no such file"),
    ],
)
def test_lines_that_lead_elsewhere_are_refused(folder, line, words):
    with pytest.raises(BuildFailed, match=words):
        judge([line], folder)


UNKNOWN = "  cause: Because no-such was not found in the package registry and you require no-such==1, we can conclude …"
NO_VERSION = "  cause: Because there is no version of numpy==99 and you require numpy==99, we can conclude …"
NO_WHEEL = "hint: Wheels are required for `pkg-a` because building from source is disabled for all packages"


@pytest.mark.parametrize(
    ("output", "message", "hint"),
    [
        (UNKNOWN, "There is no package named no-such.", "Mend line 2 of requirements.txt (No_Such==1)."),
        (NO_VERSION, "There is no numpy==99 for Python 3.11", "Mend line 3 of requirements.txt (numpy==99)"),
        (NO_WHEEL, "pkg-a has no ready-made wheel", "requirements.txt (a package there needs pkg-a)"),
        ("error sending request for url (https://pypi.org/)", "The package index could not be reached.", "again later"),
        ("something else entirely", "something else entirely", "Mend the requirements."),
    ],
    ids=["unknown", "no version", "no wheel", "no network", "other"],
)
def test_the_installers_words_become_a_line_to_mend(tmp_path, output, message, hint):
    (tmp_path / "requirements.txt").write_text("# mine\nNo_Such==1\nnumpy==99\n")
    build = BuildConfig(python_version="3.11", python_requirements="requirements.txt")
    failure = explain(["error: No solution found", output], build, tmp_path)
    assert message in failure.message
    assert hint in failure.hint


def test_inline_packages_are_named_by_their_place(tmp_path):
    build = BuildConfig(python_version="3.11", python_packages=("requests", "no-such==1"))
    assert "build.python_packages[1] in cog.yaml" in explain([UNKNOWN], build, tmp_path).hint
