"""How many instances a version should have."""

import pytest

from runner.scaling import Demand, wanted_instances

FACTS = {"queued": 0, "running": 0, "instances": 0, "starting": 0, "slots": 1}


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        pytest.param({}, 0, id="nobody asks"),
        pytest.param({"queued": 1}, 1, id="the first prediction starts the first instance"),
        pytest.param({"queued": 50, "instances": 1, "oldest_wait_seconds": 0.5}, 1, id="a quick queue needs no more"),
        pytest.param({"queued": 50, "instances": 1, "oldest_wait_seconds": 3}, 2, id="a slow queue gets one more"),
        pytest.param(
            {"queued": 50, "instances": 2, "starting": 1, "oldest_wait_seconds": 9}, 2, id="one at a time is started"
        ),
        pytest.param(
            {"queued": 5, "instances": 1, "oldest_wait_seconds": 9, "setup_seconds": 60},
            1,
            id="patience grows with the set-up",
        ),
        pytest.param(
            {"queued": 2, "running": 2, "instances": 1, "slots": 8, "oldest_wait_seconds": 9}, 1, id="slots do"
        ),
        pytest.param({"queued": 99, "instances": 4, "oldest_wait_seconds": 99}, 4, id="never above the maximum"),
        pytest.param({"instances": 2, "idle_seconds": 10}, 2, id="idle ones stay for a while"),
        pytest.param({"instances": 2, "idle_seconds": 300}, 0, id="then they stop"),
        pytest.param({"instances": 2, "idle_seconds": 300, "minimum": 1}, 1, id="down to the minimum"),
        pytest.param({"minimum": 2}, 2, id="the minimum is held without demand"),
    ],
)
def test_wanted_instances_follow_demand(facts: dict[str, float], wanted: int) -> None:
    assert wanted_instances(Demand(**{**FACTS, **facts})) == wanted  # type: ignore[arg-type]
