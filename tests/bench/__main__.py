"""`python -m tests.bench`: one run of all measurements; prints the page and writes docs/benchmarks.md.

`--rounds 1 --seconds 0.5 --models 500,2000 --dry` only shows that the harness works.
"""

import argparse
from contextlib import ExitStack

from tests.bench import coglet_alone, peers, report, search, site
from tests.bench.load import Call, measure_requests, measure_streams
from tests.bench.report import COGLET, OURS, Measured, page
from tests.bench.site import BenchSite

_FIRST_CHUNKS = 20
_FIRST_TIMES = 20  # streams of each way in a round
_CONNECTIONS = (1, 32)


def main() -> None:
    """Measure and report."""
    options = _options()
    if options.peers:
        peers.install()
    measured = Measured(options.rounds, options.seconds, burst_chunks=options.burst)
    with site.serving() as ours:
        _measure_requests(ours, measured)
        _measure_streams(ours, measured)
        measured.search = search.measure(ours, options.models)
    text = page(measured)
    print(text)
    if not options.dry:
        report.write(text)


def _measure_requests(ours: BenchSite, measured: Measured) -> None:
    with ExitStack() as stack:
        alone = stack.enter_context(coglet_alone.serving("echo"))
        call = Call(f"{alone}/predictions", {"input": {"text": "hello"}}, expects='"succeeded"')
        servers = {OURS: ours.echo(), COGLET: call, **stack.enter_context(peers.serving())}
        for call in servers.values():
            measure_requests(call, connections=1, seconds=0.5)  # models start, caches fill
        for number in range(measured.rounds):
            _tell(f"requests, round {number + 1}")
            for connections in _CONNECTIONS:
                for name, call in servers.items():
                    result = measure_requests(call, connections=connections, seconds=measured.seconds)
                    measured.requests.setdefault((name, connections), []).append(result)


def _measure_streams(ours: BenchSite, measured: Measured) -> None:
    with coglet_alone.serving("stream") as alone:
        for number in range(measured.rounds):
            _tell(f"streams, round {number + 1}")
            for name, call in _ways(ours, alone, _FIRST_CHUNKS).items():
                measured.first.setdefault(name, []).extend(measure_streams(call, times=_FIRST_TIMES)[1:])
            for name, call in _ways(ours, alone, measured.burst_chunks).items():
                measured.burst.setdefault(name, []).extend(measure_streams(call, times=1))


def _ways(ours: BenchSite, alone: str, chunks: int) -> dict[str, Call]:
    own = Call(f"{alone}/predictions", {"input": {"count": chunks, "log_every": 0}}, {"Accept": "text/event-stream"})
    by_sse, by_websocket = ours.stream(chunks, "sse"), ours.stream(chunks, "websocket")
    return {COGLET: own, f"{OURS}, server-sent events": by_sse, f"{OURS}, websocket": by_websocket}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each load in each round")
    parser.add_argument("--burst", type=int, default=3000, help="chunks")
    parser.add_argument("--models", type=lambda text: [int(size) for size in text.split(",")], default=[5_000, 50_000])
    parser.add_argument("--peers", action="store_true", help="install the other servers first")
    parser.add_argument("--dry", action="store_true", help="don't write docs/benchmarks.md")
    return parser.parse_args()


def _tell(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
