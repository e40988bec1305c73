"""Medians and ratios of what was measured, as a page."""

import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.load import Requests, Stream
from tests.bench.search import Latency

OURS, COGLET = "Modelyard", "coglet alone"
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
MONEY = "## Money: posting usage, reporting a month"
_ABOUT = """\
Made by `make bench` (`tests/bench/`). Ratios compare medians of rounds that were interleaved on one machine; columns in
milliseconds or per second are for information only and belong to this machine alone. The platform runs as in
production: every process, a durable database, models in the sandbox; each prediction is authorized, stored and metered
before its answer."""


@dataclass
class Measured:
    """Everything of one run. Each list has one entry per round; rounds are interleaved, so entries compare pairwise."""

    rounds: int
    seconds: float
    requests: dict[tuple[str, int], list[Requests]] = field(default_factory=dict)  # by server and connections
    first: dict[str, list[Stream]] = field(default_factory=dict)  # by way
    burst: dict[str, list[Stream]] = field(default_factory=dict)
    burst_chunks: int = 0
    search: list[Latency] = field(default_factory=list)


def page(measured: Measured) -> str:
    """Markdown."""
    parts = [
        "# Benchmarks",
        _ABOUT,
        f"Machine: {machine()}. {measured.rounds} rounds, {measured.seconds:g} s for each load of each round.",
        "## Synchronous predictions of a trivial model",
        _requests_table(measured),
        "## First chunk of a stream",
        _first_table(measured),
        f"## A burst of {measured.burst_chunks:,} chunks",
        _burst_table(measured),
        "## Search",
        _search_table(measured),
    ]
    return "\n\n".join(parts) + "\n"


def machine() -> str:
    """What it was measured on, in words."""
    names = (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name"))
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()}, Python {platform.python_version()}"
    return f"{next(names, platform.machine())}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, {system}"


def _lines(path: str) -> Iterable[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def _requests_table(measured: Measured) -> str:
    rows = []
    by_connections = sorted(measured.requests.items(), key=lambda item: item[0][1])
    for (server, connections), rounds in by_connections:
        ours = measured.requests[OURS, connections]
        rows.append(
            [
                server,
                str(connections),
                _ratio(median_of(ours, "per_second"), median_of(rounds, "per_second")),
                _ratio(median_of(ours, "p50_ms"), median_of(rounds, "p50_ms")),
                f"{median_of(rounds, 'per_second'):.0f}",
                f"{median_of(rounds, 'p50_ms'):.1f}",
                f"{median_of(rounds, 'p99_ms'):.1f}",
                str(sum(each.failed for each in rounds)),
            ]
        )
    head = ["server", "connections", "our throughput ÷ its", "our p50 ÷ its", "per s", "p50 ms", "p99 ms", "failed"]
    return table(head, rows)


def _first_table(measured: Measured) -> str:
    base = median_of(measured.first[COGLET], "first_ms")
    first = {way: median_of(runs, "first_ms") for way, runs in measured.first.items()}
    rows = [[way, f"{ms / base:.2f}", f"{ms - base:+.1f}", f"{ms:.1f}"] for way, ms in first.items()]
    return table(["way", "÷ coglet's own", "more than coglet's, ms", "p50 ms"], rows)


def _burst_table(measured: Measured) -> str:
    base = median_of(measured.burst[COGLET], "total_ms")
    rows = [
        [
            way,
            f"{min(run.chunks for run in runs):,}",
            f"{median_of(runs, 'total_ms') / base:.2f}",
            f"{median_of(runs, 'total_ms'):.0f}",
        ]
        for way, runs in measured.burst.items()
    ]
    return table(["way", "chunks that arrived (fewest)", "time ÷ coglet's own", "ms"], rows)


def _search_table(measured: Measured) -> str:
    base = measured.search[0]
    rows = [
        [
            f"{each.models:,}",
            f"{each.p50_ms / base.p50_ms:.2f}",
            f"{each.p99_ms / base.p99_ms:.2f}",
            f"{each.p50_ms:.1f}",
            f"{each.p99_ms:.1f}",
        ]
        for each in measured.search
    ]
    return table(["models", f"p50 ÷ at {base.models:,}", f"p99 ÷ at {base.models:,}", "p50 ms", "p99 ms"], rows)


def _ratio(ours: float, theirs: float) -> str:
    return f"{ours / theirs:.2f}" if theirs else "-"


def median_of(rounds: Sequence[object], name: str) -> float:
    """The median of one column."""
    return statistics.median(float(getattr(each, name)) for each in rounds)


def write(text: str) -> None:
    """The page of `make bench`; the section about money, which is measured apart, stays."""
    _, _, money = PAGE.read_text().partition(MONEY)
    PAGE.write_text(f"{text}\n{MONEY}{money}" if money else text)


def write_money(text: str) -> None:
    """That section, at the end of the page."""
    others, _, _ = PAGE.read_text().partition(MONEY)
    PAGE.write_text(f"{others.rstrip()}\n\n{MONEY}\n\n{text}\n")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
