"""Settings and presets of RPG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from baselines.sasrec.settings import EncoderSettings
from benchmark.budget import budgeted
from benchmark.settings import setting

__all__ = ["PRESETS", "RPGSettings"]


@dataclass(frozen=True)
class RPGSettings(EncoderSettings):
    """Settings of :class:`~baselines.rpg.model.RPG`; the defaults are those of ``standard``."""

    vectors: Literal["content", "interactions"] = setting(
        "content", "items are coded by their text, or by who met them (singular vectors)"
    )
    encoder: str = setting("minilm", "text encoder: the bundled MiniLM or a hub name")
    components: int = setting(128, "principal components that are coded, at most", low=1)
    digits: int = setting(16, "digits of an item's identifier", low=1)
    codebook_size: int = setting(256, "codes of each digit", low=1)
    rotations: int = setting(10, "how often the axes of the codes are learned anew")
    temperature: float = setting(0.05, "divides cosines of states and codes", low=1e-3)
    width: int = setting(128, "width of embeddings and layers", low=1)
    heads: int = setting(4, "attention heads", low=1)
    inner: int = setting(512, "width of the feed-forward layers", low=1)
    batch_size: int = setting(64, "sequences in a batch", low=1)
    decoding: Literal["exact", "graph"] = setting(
        "exact", "score the whole catalogue, or walk a graph of alike items after training"
    )
    edges: int = setting(50, "neighbours of an item in the graph", low=1)
    num_beams: int = setting(100, "items kept at each step through the graph", low=1)
    propagation_steps: int = setting(3, "steps through the graph")


PRESETS = budgeted(
    {
        "quick": {"digits": 8, "codebook_size": 64, "width": 64, "heads": 2, "inner": 128},
        "thorough": {"width": 128, "digits": 32},
        "paper": {
            "encoder": "sentence-transformers/sentence-t5-base",
            "digits": 32,
            "rotations": 50,
            "temperature": 0.03,
            "width": 448,
            "inner": 1024,
            "dropout": 0.5,
            "attention_dropout": 0.5,
            "batch_size": 256,
            "learning_rate": 0.003,
            "epochs": 150,
            "warm_up": 10_000,
            "patience": 20,
            "validation_requests": 0,
            "decoding": "graph",
            "edges": 200,
            "num_beams": 20,
        },
    }
)
