"""Why a prediction went as it did, from facts alone."""

import datetime
from dataclasses import replace

import pytest

from runner.explanations import Charge, Facts, HostFacts, Move, consider, explain
from runner.placement import Size
from runner.queueing import WaitingReason

T = datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC)
GIB = 2**30
NEED = Size(2000, 8 * GIB, 1)
NONE = Size(0, 0, 0)
HOST = HostFacts("gpu-1", "online", Size(16000, 64 * GIB, 2), used=NONE, idle=NONE)
CHARGE = Charge(quantity_us=1_500_000, rate_nanos=100_000, per_us=1_000_000, amount_nanos=150_000)
DONE = Facts("succeeded", "none", T, started_at=T, completed_at=T, hardware="gpu", charge=CHARGE)
FREE = replace(CHARGE, quantity_us=0, amount_nanos=0)


def after(seconds: float) -> datetime.datetime:
    return T + datetime.timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({}, "has_room", "room"),
        ({"status": "lost"}, "lost", "not been heard of"),
        ({"status": "cordoned"}, "cordoned", "operator"),
        ({"size": Size(16000, 64 * GIB, 0)}, "too_few_gpus", "It has 0 GPUs, 1 are needed."),
        ({"size": Size(16000, 4 * GIB, 2)}, "too_little_memory", "4 GiB of memory, 8 GiB are needed"),
        ({"size": Size(1500, 64 * GIB, 2)}, "too_few_cpus", "1.5 processors, 2 are needed"),
        ({"used": Size(4000, 16 * GIB, 2)}, "full", "at work"),
        ({"used": Size(4000, 60 * GIB, 1)}, "full", "at work"),
        ({"used": Size(4000, 16 * GIB, 2), "idle": Size(2000, 8 * GIB, 1)}, "makes_room", "idle"),
        ({"used": Size(4000, 16 * GIB, 2), "status": "cordoned"}, "cordoned", "operator"),
    ],
)
def test_what_a_host_can_do_and_why_not(changes: dict[str, object], code: str, words: str) -> None:
    considered = consider(replace(HOST, **changes), NEED)  # type: ignore[arg-type]  # a table of any members
    assert considered.code == code
    assert words in considered.sentence
    assert considered.is_refused is (code not in ("has_room", "makes_room"))


@pytest.mark.parametrize(
    ("move", "fault", "sentence"),
    [
        (Move(T, "created"), "none", "Accepted."),
        (Move(T, "started", {"host": "gpu-1", "try": 1}), "none", "Started on host gpu-1."),
        (Move(T, "started", {"host": None, "try": 2}), "none", "Started, try 2."),
        (
            Move(T, "requeued", {"cause": "its process ended"}),
            "none",
            "Back to the queue, that try is free: its process ended.",
        ),
        (Move(T, "given_back", {"cause": "no turn"}), "none", "Back to the queue untouched: no turn."),
        (Move(T, "cancel_requested"), "none", "Somebody asked to cancel it."),
        (Move(T, "succeeded"), "none", "Succeeded."),
        (Move(T, "failed"), "model_error", "Failed: by an error of the model's own."),
        (Move(T, "failed"), "user_input", "Failed: the model could not use its input."),
        (Move(T, "failed"), "timeout", "Failed: it ran longer than this site allows."),
        (
            Move(T, "failed", {"cause": "the power went"}),
            "platform",
            "Failed, by no fault of yours or the model's: the power went.",
        ),
        (Move(T, "canceled"), "user_cancel", "Canceled, as was asked."),
        (Move(T, "canceled"), "timeout", "Canceled: its deadline passed while it ran."),
        (Move(T, "aborted"), "timeout", "Given up before it started: its deadline passed."),
        (Move(T, "moved_house"), "none", "Moved house."),
    ],
    ids=lambda value: value.name if isinstance(value, Move) else None,
)
def test_each_move_in_words(move: Move, fault: str, sentence: str) -> None:
    moves = [entry for entry in explain(Facts(move.name, fault, T, moves=[move])).timeline if entry.name == move.name]
    assert [entry.sentence for entry in moves] == [sentence]


def test_the_timeline_is_in_order_and_has_every_try() -> None:
    names = ("created", "started", "requeued", "started", "succeeded")
    moves = [Move(after(number), name, {"try": number}) for number, name in enumerate(names)]
    assert [entry.name for entry in explain(replace(DONE, moves=moves)).timeline] == list(names)


def test_what_the_log_no_longer_has_is_told_from_the_row() -> None:
    facts = replace(DONE, started_at=after(1), completed_at=after(2))
    assert [(entry.name, entry.at) for entry in explain(facts).timeline] == [
        ("created", T),
        ("started", after(1)),
        ("succeeded", after(2)),
    ]


@pytest.mark.parametrize(
    ("facts", "cost"),
    [
        (DONE, "Charged for 1.500000 s of gpu."),
        (replace(DONE, fault_class="model_error"), "Charged for 1.500000 s of gpu, as it ran until the model failed."),
        (replace(DONE, fault_class="user_cancel"), "Charged for 1.500000 s of gpu, until it was canceled."),
        (replace(DONE, fault_class="timeout"), "Charged for 1.500000 s of gpu, until its time was over."),
        (replace(DONE, fault_class="platform", charge=FREE), "Free: what the platform spoils is not charged."),
        (replace(DONE, started_at=None, charge=FREE), "Free: it never started."),
        (replace(DONE, charge=replace(CHARGE, rate_nanos=0, amount_nanos=0)), "Free: gpu costs nothing."),
        (replace(DONE, charge=FREE), "Free: it took no time."),
        (replace(DONE, charge=None), None),
    ],
)
def test_why_it_costs_what_it_costs(facts: Facts, cost: str | None) -> None:
    assert explain(facts).cost == cost


def test_hosts_are_considered_only_while_it_waits() -> None:
    waiting = Facts("starting", "none", T, waiting=WaitingReason("no_capacity", 3), hosts=[HOST], need=NEED)
    assert [host.name for host in explain(waiting).hosts] == ["gpu-1"]
    assert explain(replace(waiting, waiting=None)).hosts == []
