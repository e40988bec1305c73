"""The API is called by its own document: schemathesis' examples and edge cases of each operation, and some at random.

The same for as long as one likes: `make fuzz`.
"""

import pytest

from tests.fuzz.site import CALLER, call_by_document

pytestmark = pytest.mark.contract
SECONDS = 60


def test_the_api_answers_as_its_document_says(live_site):
    options = ["--seed=1", "--generation-deterministic", "--max-examples=4", f"--max-time={SECONDS}"]
    run = call_by_document(live_site, live_site.new_account(CALLER), *options)
    output, _ = run.communicate(timeout=SECONDS + 60)
    assert run.returncode == 0, output
