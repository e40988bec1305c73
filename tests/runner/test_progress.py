"""Whatever arrives, in whatever order, comes out as one forward story."""

from hypothesis import given
from hypothesis import strategies as st

from runner.cog_events import Broken, CogEvent, Completed, Log, Metric, Output, Snapshot, Started
from runner.progress import Delta, NewLogs, NewMetrics, NewOutput, Progress

ITEMS = [f"tok{number}" for number in range(6)]
LOGS = "".join(f"line {number}\n" for number in range(6))
END = Completed("succeeded", ITEMS, None, LOGS, {"n": 6, "predict_time": 0.1})
STREAM: list[CogEvent] = [Started("p")]
for number, item in enumerate(ITEMS):
    STREAM += [Log(f"line {number}\n", "stdout"), Metric("n", 1, "increment"), Output(number, item)]
SNAPSHOTS = [Snapshot(ITEMS[:n], LOGS[: n * 7], {"n": n}) for n in range(7)]


def feed(*events: CogEvent, has_items: bool = True) -> list[Delta]:
    progress = Progress(has_items=has_items)
    return [delta for event in events for delta in progress.feed(event)]


def test_a_stream_comes_out_with_positions() -> None:
    assert feed(Started("p"), Log("a\n", "stdout"), Output(0, "x"), Log("b\n", "stderr"), Output(1, "y")) == [
        NewLogs(0, "a\n"),
        NewOutput(0, ["x"]),
        NewLogs(2, "b\n"),
        NewOutput(1, ["y"]),
    ]


def test_a_webhook_adds_only_what_is_new() -> None:
    assert feed(Snapshot(["a"], "1", {}), Snapshot(["a", "b", "c"], "1", {"n": 3})) == [
        NewLogs(0, "1"),
        NewOutput(0, ["a"]),
        NewOutput(1, ["b", "c"]),
        NewMetrics({"n": 3}),
    ]


def test_a_late_webhook_adds_nothing() -> None:
    newer, older = Snapshot(["a", "b"], "12", {"n": 2}), Snapshot(["a"], "1", {"n": 1})
    assert feed(newer, older) == feed(newer)


def test_a_second_attach_replays_nothing_that_was_seen() -> None:
    assert feed(*STREAM[:8], Broken("lagged"), *STREAM) == feed(*STREAM)


def test_a_gap_waits_for_the_webhook_that_tells_all() -> None:
    deltas = feed(Started("p"), Output(0, "tok0"), Output(4, "tok4"), Broken("truncated"), END)
    assert [delta for delta in deltas if isinstance(delta, NewOutput)] == [
        NewOutput(0, ["tok0"]),
        NewOutput(1, ITEMS[1:]),
    ]


def test_the_partial_output_of_a_single_value_means_nothing() -> None:
    end = Completed("succeeded", output={"a": 1})
    assert feed(Snapshot([{"a": 1}], "", {}), end, has_items=False) == [end]


def test_the_first_end_is_final() -> None:
    assert feed(Completed("canceled"), END, *STREAM) == [Completed("canceled")]


def test_an_end_with_less_keeps_what_was_seen() -> None:
    crash = Completed("failed", error="Worker crashed")
    *_, end = feed(*STREAM[:4], crash)
    assert end == Completed("failed", ["tok0"], "Worker crashed", "line 0\n", {"n": 1})


def test_an_array_that_stayed_empty_is_an_empty_list_on_success() -> None:
    assert feed(Completed("succeeded", output=None)) == [Completed("succeeded", output=[])]


def test_metrics_accumulate_and_nest_as_in_webhooks() -> None:
    calls = [
        Metric("t.inner", 1.5, "replace"),
        Metric("n", 1, "increment"),
        Metric("n", 2, "increment"),
        Metric("l", "a", "append"),
    ]
    assert feed(Started("p"), *calls)[-1] == NewMetrics({"t": {"inner": 1.5}, "n": 3, "l": ["a"]})


@given(st.lists(st.sampled_from(SNAPSHOTS)), st.integers(0, len(STREAM)), st.data())
def test_any_mixture_tells_the_same_story(snapshots: list[Snapshot], cut: int, data: st.DataObject) -> None:
    events: list[CogEvent] = list(STREAM[:cut])
    for snapshot in snapshots:
        events.insert(data.draw(st.integers(0, len(events))), snapshot)
    deltas = feed(*events, END)
    assert "".join(delta.text for delta in deltas if isinstance(delta, NewLogs)) == LOGS
    assert [item for delta in deltas if isinstance(delta, NewOutput) for item in delta.items] == ITEMS
    assert [delta for delta in deltas if isinstance(delta, Completed)] == [END]


@given(st.lists(st.sampled_from([*STREAM, *SNAPSHOTS])))
def test_positions_only_go_forward_without_gaps(events: list[CogEvent]) -> None:
    items = characters = 0
    for delta in feed(*events):
        if isinstance(delta, NewOutput):
            assert delta.at == items and delta.items
            items += len(delta.items)
        elif isinstance(delta, NewLogs):
            assert delta.at == characters and delta.text
            characters += len(delta.text)
