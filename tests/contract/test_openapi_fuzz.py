"""The API is called by its own document: schemathesis' examples and edge cases of each operation, always the same ones.

Calls at random, for as long as one likes: `make fuzz`.
"""

import pytest

from tests.fuzz.site import CALLER, call_by_document

pytestmark = pytest.mark.contract
SECONDS = 180


def test_the_api_answers_as_its_document_says(live_site):
    options = ["--seed=1", "--generation-deterministic", "--phases=examples,coverage"]
    run = call_by_document(live_site, live_site.new_account(CALLER), *options)
    output, _ = run.communicate(timeout=SECONDS)
    assert run.returncode == 0, output
