"""Search over generated catalogs of growing size: `measure` from outside, `main` inside the site it measures.

The words are made up with a fixed seed and used as unevenly as words are: a few by many models, most by few.
"""

import json
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.bench.site import BenchSite

if TYPE_CHECKING:
    from models_catalog.models import Version

_SYLLABLES = ("ba", "cor", "di", "fen", "gra", "hy", "jo", "ka", "lum", "mo", "net", "pix", "qua", "re", "sol", "ti")
_WORDS = 5000
_BATCH = 2000
_QUERIES = 300
_PAGE = 20


@dataclass(frozen=True)
class Latency:
    """Of searches in a catalog of so many models."""

    models: int
    p50_ms: float
    p99_ms: float


def measure(site: BenchSite, sizes: list[int]) -> list[Latency]:
    """One result for each size, in growing order."""
    version = site.live.publish("echo")
    printed = site.live.run_python(f"from tests.bench import search; search.main({version!r}, {sorted(sizes)!r})")
    return [Latency(**each) for each in json.loads(printed.strip().splitlines()[-1])]


# --- Inside the site ------------------------------------------------------------------------------------------------


def main(version_id: str, sizes: list[int]) -> None:
    """Grow the catalog to each size and search it."""
    from models_catalog.models import Version

    version = Version.objects.select_related("model").get(pk=version_id)
    dice = random.Random(7)
    words = ["".join(dice.choices(_SYLLABLES, k=dice.randint(2, 4))) for _ in range(_WORDS)]
    weights = [1 / (rank + 2) for rank in range(_WORDS)]
    queries = _queries(dice, words, weights)
    measured, there = [], 0
    for size in sizes:
        _grow(version, dice, words, weights, range(there, size))
        there = size
        measured.append({"models": size, **_search_all(queries)})
    print(json.dumps(measured))


def _queries(dice: random.Random, words: list[str], weights: list[float]) -> list[str]:
    """What people type: a word, two, the beginning of one, one with a typing mistake."""
    queries = []
    for number in range(_QUERIES):
        word, other = dice.choices(words, weights, k=2)
        mistaken = word[:2] + word[3:]
        queries.append((word, f"{word} {other}", word[:4], mistaken)[number % 4])
    return queries


def _grow(version: "Version", dice: random.Random, words: list[str], weights: list[float], numbers: range) -> None:
    from django.db import connection

    from models_catalog.models import Model

    for start in range(numbers.start, numbers.stop, _BATCH):
        Model.objects.bulk_create(
            Model(
                account_id=version.model.account_id,
                name="-".join([*dice.choices(words, weights, k=2), str(number)]),
                description=" ".join(dice.choices(words, weights, k=12)),
                readme=" ".join(dice.choices(words, weights, k=60)),
                hardware="cpu-small",
                run_count=int(dice.paretovariate(0.6)),
                latest_version=version,
            )
            for number in range(start, min(start + _BATCH, numbers.stop))
        )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE models_catalog_model")


def _search_all(queries: list[str]) -> dict[str, Any]:
    from models_catalog.search import search

    for query in queries[:20]:
        list(search(query)[:_PAGE])
    taken = []
    for query in queries:
        before = time.perf_counter()
        list(search(query)[:_PAGE])
        taken.append((time.perf_counter() - before) * 1000)
    taken.sort()
    return {"p50_ms": taken[len(taken) // 2], "p99_ms": taken[int(len(taken) * 0.99)]}
