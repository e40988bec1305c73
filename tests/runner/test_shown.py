"""What may be seen of a running prediction: secrets are masked wherever the model puts them."""

import pytest

from runner.engine.shown import Shown


async def no_file(data_uri: str) -> str:
    raise AssertionError(data_uri)


@pytest.fixture
def shown() -> Shown:
    return Shown(store_file=no_file, secret_values=["hunter2"], max_log_characters=1000)


def test_logs_are_masked(shown):
    shown.add_logs("key hunter2\n")
    assert shown.logs == "key [REDACTED]\n"


async def test_outputs_are_masked_at_any_depth(shown):
    assert await shown.final({"a": ["hunter2!", 2]}) == {"a": ["[REDACTED]!", 2]}


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("no hunter2 here", "no [REDACTED] here"),
        ({"used": "hunter2", "count": 3}, {"used": "[REDACTED]", "count": 3}),
        (None, None),
    ],
)
def test_errors_and_metrics_are_masked(shown, value, seen):
    assert shown.masked(value) == seen
