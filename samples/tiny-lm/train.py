"""Trains tiny-lm on a text of your own: counts its words and saves the counts."""

import tempfile

from cog import BaseModel, Input, Path
from ngram import NgramModel


class TrainingOutput(BaseModel):
    weights: Path
    perplexity: float


def train(
    text: Path = Input(
        description="A plain text file (UTF-8) to learn from; a book is a good size", accept=".txt,text/plain"
    ),
    order: int = Input(description="Words that are looked at together: 2 to 6", default=4, ge=2, le=6),
) -> TrainingOutput:
    content = text.read_text(encoding="utf-8", errors="replace")
    cut = int(len(content) * 0.95)
    print(f"counting {cut:,} characters, keeping {len(content) - cut:,} to check with")
    perplexity = NgramModel.train(content[:cut], order).perplexity(content[cut:][:20_000])
    print(f"perplexity on the part kept back: {perplexity:.1f} (lower is better)")
    model = NgramModel.train(content, order)
    weights = Path(tempfile.mkdtemp()) / "tiny-lm.weights"
    model.save(weights)
    print(f"learned {len(model.vocabulary):,} different tokens; the weights have {weights.stat().st_size:,} bytes")
    return TrainingOutput(weights=weights, perplexity=round(perplexity, 1))
