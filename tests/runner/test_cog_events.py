"""How coglet's wire forms are read.  The samples are those of cog-runtime.md 4.6 and 4.9."""

import pytest

from runner.cog_events import (
    BadEvent,
    Broken,
    CogEvent,
    Completed,
    Log,
    Metric,
    Output,
    Snapshot,
    Started,
    clean_error,
    is_lost_worker,
    parse_sse,
    parse_webhook,
    settle_cancel,
)


@pytest.mark.parametrize(
    ("name", "data", "event"),
    [
        ("start", b'{"id":"p1","status":"processing"}', Started("p1")),
        ("log", b'{"data":"log 0\\n","source":"stdout"}', Log("log 0\n", "stdout")),
        ("metric", b'{"mode":"increment","name":"n","value":1}', Metric("n", 1, "increment")),
        ("output", b'{"chunk":"tok0 ","index":0}', Output(0, "tok0 ")),
        (
            "error",
            b'{"error":"SSE stream lagged; events were dropped"}',
            Broken("SSE stream lagged; events were dropped"),
        ),
        (
            "completed",
            b'{"id":"p1","logs":"l","metrics":{"predict_time":0.1},"output":["a"],"status":"succeeded"}',
            Completed("succeeded", ["a"], None, "l", {"predict_time": 0.1}),
        ),
        ("novelty", b"{}", None),
    ],
)
def test_a_server_sent_event_is_read(name: str, data: bytes, event: CogEvent | None) -> None:
    assert parse_sse(name, data) == event


@pytest.mark.parametrize(
    ("name", "data"), [("start", b"{}"), ("output", b'{"chunk":1,"index":"x"}'), ("completed", b"{}"), ("log", b"no")]
)
def test_an_event_that_is_not_coglets_is_refused(name: str, data: bytes) -> None:
    with pytest.raises(BadEvent):
        parse_sse(name, data)


@pytest.mark.parametrize(
    ("body", "event"),
    [
        (b'{"id":"w1","logs":"","metrics":{},"status":"processing"}', Snapshot([], "", {})),
        (
            b'{"id":"w1","logs":"a\\n","metrics":{"n":1},"output":["t"],"status":"processing"}',
            Snapshot(["t"], "a\n", {"n": 1}),
        ),
        (
            b'{"error":"Worker crashed","id":"w1","logs":"","metrics":{},"status":"failed"}',
            Completed("failed", None, "Worker crashed"),
        ),
        (
            b'{"id":"w1","logs":"","metrics":{"predict_time":0.2},"status":"canceled"}',
            Completed("canceled", metrics={"predict_time": 0.2}),
        ),
    ],
)
def test_a_webhook_is_read(body: bytes, event: Snapshot | Completed) -> None:
    assert parse_webhook(body) == ("w1", event)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id":5,"status":"failed"}', b"\xff"])
def test_a_webhook_that_is_not_coglets_is_refused(body: bytes) -> None:
    with pytest.raises(BadEvent):
        parse_webhook(body)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Prediction failed: Prediction failed: ValueError: boom", "ValueError: boom"),
        ("Prediction failed: Async prediction failed: KeyError: 'x'", "KeyError: 'x'"),
        (
            "Prediction failed: Generator iteration error: RuntimeError: Prediction failed: no",
            "RuntimeError: Prediction failed: no",
        ),
        ("Prediction failed: Training failed: OSError: disk", "OSError: disk"),
        ("Worker crashed", "Worker crashed"),
        ("", ""),
    ],
)
def test_an_error_loses_the_frameworks_prefixes_only(raw: str, clean: str) -> None:
    assert clean_error(raw) == clean


BY_CANCEL = Completed("failed", error="Prediction failed: Async prediction failed: CancelationException: ")


@pytest.mark.parametrize(
    ("error", "is_lost"),
    [
        ("Worker crashed", True),
        ("Failed to send request: Failed to send on slot socket: Broken pipe (os error 32)", True),
        ("Prediction failed: RuntimeError: Worker crashed", False),
        (None, False),
    ],
)
def test_a_dead_worker_is_told_from_a_models_own_failure(error: str | None, is_lost: bool) -> None:
    assert is_lost_worker(Completed("failed", error=error)) is is_lost


@pytest.mark.parametrize(
    ("completed", "cancel_requested", "status"),
    [
        (BY_CANCEL, True, "canceled"),
        (BY_CANCEL, False, "failed"),
        (Completed("failed", error="Worker crashed"), True, "failed"),
        (Completed("succeeded", output="CancelationException"), True, "succeeded"),
    ],
)
def test_a_failure_by_our_own_cancel_is_a_cancel(completed: Completed, cancel_requested: bool, status: str) -> None:
    assert settle_cancel(completed, cancel_requested=cancel_requested).status == status
