"""Positions, gaps and replays: nobody misses an event, sees one twice or out of order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.events import Event, Gap, Position, Snapshot, advance, done, replay

ENDED = Snapshot(2, "succeeded", ["a", "b", "c"], "one\ntwo\n", {"output": None})


def seen(events: list[Event], start: Position) -> tuple[list[str], str, Position]:
    items: list[str] = []
    logs = ""
    position = start
    for event in events:
        position, news = advance(position, event)
        if news:
            items += news.items
            logs += news.text
    return items, logs, position


def test_what_was_seen_is_dropped_and_the_rest_is_news() -> None:
    position, news = advance(Position(outputs=2), Event("output", at=1, items=["b", "c"]))
    assert (position.outputs, news) == (3, Event("output", at=2, items=["c"]))


def test_a_repeat_is_no_news() -> None:
    assert advance(Position(logs=4), Event("logs", at=0, text="one\n"))[1] is None


@pytest.mark.parametrize(
    "event",
    [Event("output", at=5, items=["x"]), Event("logs", at=9, text="x"), Event("done", ended={"outputs": 1, "logs": 0})],
    ids=lambda event: str(event.kind),
)
def test_a_gap_is_noticed(event: Event) -> None:
    with pytest.raises(Gap):
        advance(Position(), event)


def test_the_stage_never_goes_back() -> None:
    assert advance(Position(stage=1), Event("status", status="processing"))[1] is None


def test_an_ended_prediction_is_replayed_with_its_last_event_even_to_who_has_all() -> None:
    assert list(replay(ENDED, Position(3, 8, 2))) == [done(ENDED)]


@given(st.integers(0, 3), st.integers(0, 8), st.integers(0, 2))
def test_a_replay_from_anywhere_completes_what_is_missing(outputs: int, logs: int, stage: int) -> None:
    items, text, position = seen(list(replay(ENDED, Position(outputs, logs, stage))), Position(outputs, logs, stage))
    assert (items, text) == (ENDED.outputs[outputs:], ENDED.logs[logs:])
    assert position == Position(3, 8, 2)
