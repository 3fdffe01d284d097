"""Settings of every model that writes identifiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmark.budget import Budget
from benchmark.settings import setting

__all__ = ["GeneratorSettings"]


@dataclass(frozen=True)
class GeneratorSettings(Budget):
    """Settings of every model that writes identifiers."""

    backbone: str = setting("config", "'config' for a T5 of the sizes below, or a hub name")
    width: int = setting(64, "width of the T5", low=1)
    layers: int = setting(2, "layers of its encoder and of its decoder", low=1)
    heads: int = setting(4, "attention heads", low=1)
    feed_forward: int = setting(256, "width of its feed-forward layers", low=1)
    dropout: float = setting(0.1, "dropout of the T5", high=1)
    text_tokens: int = setting(4096, "size of the text vocabulary trained on the data set", low=1)
    codebook_start: bool = setting(
        True, "start the embeddings of codes and text pieces from the RQ-VAE (backbone=config)"
    )
    embedding_scale: float = setting(0.3, "root mean square of embeddings so started")
    item_tokens: Literal["fused", "own", "tied", "codes"] = setting(
        "fused",
        "an item in the input is one summed embedding, the same with a vector of the item's own or "
        "with the output vector of its whole identifier (node_vectors), or one token for each code "
        "as published",
    )
    softmax: Literal["trie", "level", "vocabulary"] = setting(
        "trie",
        "what code probabilities are normalised over: the codes that lead on to an item, all codes"
        " of the level, or the whole vocabulary as T5 does",
    )
    node_vectors: bool = setting(
        False, "give each prefix of an identifier an output vector of its own (softmax=trie)"
    )
    max_history: int = setting(
        50, "events in a training sequence and in a request's history (packed)", low=1
    )
    query_tokens: int = setting(16, "longest query, in tokens", low=1)
    batch_size: int = setting(16, "sequences (packed) or samples (plain) in a batch", low=1)
    accumulate: int = setting(1, "batches whose gradients make one step", low=1)
    learning_rate: float = setting(4e-3, "peak learning rate", low=1e-9)
    weight_decay: float = setting(0.01, "weight decay")
    num_beams: int = setting(50, "beams over the catalogue", low=1)
    candidate_decoding: Literal["exact", "beam"] = setting(
        "exact", "given candidates: score each one, or beam search over their trie as published"
    )

    @property
    def whole_answers(self) -> bool:
        """Whether the decoder itself writes the behaviour token before and the end token behind
        the codes, instead of being given the one and stopping without the other."""
        return False

    def __post_init__(self) -> None:
        if self.width < self.heads:
            raise ValueError(f"settings 'width', 'heads': no width is left for {self.heads} heads")
        if self.node_vectors and self.softmax != "trie":
            raise ValueError("settings 'node_vectors', 'softmax': only with softmax=trie")
        if self.item_tokens == "tied" and not self.node_vectors:
            raise ValueError("settings 'item_tokens', 'node_vectors': tied to them, there are none")
        if self.item_tokens == "own" and self.softmax == "vocabulary":
            raise ValueError("settings 'item_tokens', 'softmax': own tokens are not written")
