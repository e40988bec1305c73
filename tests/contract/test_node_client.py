"""The official npm package, unmodified: node's own test runner does the work, here each of its results counts."""

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.contract, pytest.mark.node]

NODE = Path(__file__).parent / "node"


def test_the_node_client_works(live_site, echo, words, files, slow, official_echo):
    references = {"ECHO": echo, "WORDS": words, "FILES": files, "SLOW": slow, "OFFICIAL": official_echo}
    environment = {**os.environ, "SITE": live_site.base_url, "TOKEN": live_site.token, **references}
    command = ["node", "--test", "--test-reporter=spec", "--test-timeout=90000", "client.test.mjs"]
    done = subprocess.run(command, cwd=NODE, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pass 11" in done.stdout
