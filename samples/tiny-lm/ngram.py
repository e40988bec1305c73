"""A word-level n-gram language model: how often each word followed the words before it, and nothing more.

Each order (after 0, 1, 2, 3 … words) has its counts; a probability mixes all orders by absolute discounting, so
that words never seen in a context still get what the shorter contexts say of them.  Pure Python, no dependency.
"""

import gzip
import heapq
import json
import math
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

DISCOUNT = 0.6
TOKEN = re.compile(r"\n+|[ \t]?(?:\w+(?:[’'-]\w+)*|[^\w\s])")


def tokenize(text: str) -> list[str]:
    """Words and punctuation marks with the space in front of them, so that joining tokens gives the text back."""
    return TOKEN.findall(re.sub(r"[ \t]+", " ", text))


def key(token: str) -> str:
    """What a token counts as inside a context: words without their space and in lower case."""
    return token.strip(" ").lower() if any(map(str.isalnum, token)) else token


class NgramModel:
    def __init__(self, vocabulary: list[str], counts: list[dict[str, dict[int, int]]]) -> None:
        """counts[n]: for each context of n words (joined by tabs), how often each token (by its number) came next."""
        self.vocabulary = vocabulary
        self.keys = [key(token) for token in vocabulary]
        self.counts = counts
        self.totals = [{context: sum(nexts.values()) for context, nexts in table.items()} for table in counts]
        smallest = 1 / (len(vocabulary) + 1)
        total = self.totals[0][""]
        self.unigrams = [max(counts[0][""].get(i, 0), smallest) / total for i in range(len(vocabulary))]

    @classmethod
    def train(cls, text: str, order: int = 4) -> "NgramModel":
        tokens = tokenize(text)
        if len(tokens) < 2:
            raise ValueError("the text has no words to learn from")
        vocabulary = list(dict.fromkeys(tokens))
        numbers = {token: number for number, token in enumerate(vocabulary)}
        ids, keys = ([numbers[token] for token in tokens], [key(token) for token in tokens])
        counts: list[dict[str, dict[int, int]]] = []
        for n in range(order):
            table: dict[str, dict[int, int]] = {}
            for end in range(n, len(ids)):
                nexts = table.setdefault("\t".join(keys[end - n : end]), {})
                nexts[ids[end]] = nexts.get(ids[end], 0) + 1
            counts.append(table)
        return cls(vocabulary, counts)

    def save(self, path: Path) -> None:
        with gzip.open(path, "wt", encoding="utf-8") as file:
            json.dump({"format": "tiny-lm 1", "vocabulary": self.vocabulary, "counts": self.counts}, file)

    @classmethod
    def load(cls, data: bytes) -> "NgramModel":
        stored = json.loads(gzip.decompress(data))
        if stored.get("format") != "tiny-lm 1":
            raise ValueError("not a weights file of tiny-lm")
        counts = [{c: {int(i): n for i, n in nexts.items()} for c, nexts in t.items()} for t in stored["counts"]]
        return cls(stored["vocabulary"], counts)

    def probabilities(self, context: Sequence[str]) -> list[float]:
        """For each token of the vocabulary, how likely it comes next after these keys."""
        left: float = 1
        found: dict[int, float] = defaultdict(float)
        for n in range(min(len(context), len(self.counts) - 1), 0, -1):
            name = "\t".join(context[-n:])
            nexts = self.counts[n].get(name)
            if nexts is None:
                continue
            total = self.totals[n][name]
            for token, count in nexts.items():
                found[token] += left * (count - DISCOUNT) / total
            left *= DISCOUNT * len(nexts) / total
        mixed = [p * left for p in self.unigrams]
        for token, chance in found.items():
            mixed[token] += chance
        return mixed

    def generate(
        self, prompt: Sequence[str], max_tokens: int, temperature: float, top_k: int, seed: int | None
    ) -> Iterator[str]:
        """Tokens that go on from the prompt's.  Temperature 0 always takes the likeliest; top_k 0 means all."""
        chance = random.Random(seed)
        context = [key(token) for token in prompt]
        last = prompt[-1] if prompt else " "
        said: set[tuple[str, ...]] = set()
        for _ in range(max_tokens):
            weights = self.probabilities(context)
            choices = heapq.nlargest(top_k or len(weights), range(len(weights)), key=weights.__getitem__)
            # A phrase of four that was said is not said again at once, or the likeliest words would go in circles.
            before = tuple(context[-3:])
            choices = [i for i in choices if (*before, self.keys[i]) not in said] or choices
            if temperature == 0:
                picked = choices[0]
            else:
                best = math.log(weights[choices[0]])
                scores = [math.exp((math.log(weights[i]) - best) / temperature) for i in choices]
                picked = chance.choices(choices, scores)[0]
            token = self.vocabulary[picked]
            said.add((*before, self.keys[picked]))
            context.append(self.keys[picked])
            if last[-1].isalnum() and token[0].isalnum():
                token = " " + token  # a word that only ever began a paragraph
            last = token
            yield token

    def perplexity(self, text: str) -> float:
        """How surprised the model is by a text: as if it had to guess among so many words each time."""
        numbers = {token: number for number, token in enumerate(self.vocabulary)}
        tokens = tokenize(text)
        keys = [key(token) for token in tokens]
        unknown = min(self.unigrams) / 2
        logs = 0.0
        for position, token in enumerate(tokens):
            number = numbers.get(token)
            known = self.probabilities(keys[max(0, position - 8) : position])
            logs -= math.log(unknown if number is None else known[number])
        return math.exp(logs / max(1, len(tokens)))
