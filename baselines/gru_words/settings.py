"""Settings and presets of the GRU over events and words."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.budget import Budget, budgeted
from benchmark.settings import setting

__all__ = ["PRESETS", "GRUWordsSettings"]


@dataclass(frozen=True)
class GRUWordsSettings(Budget):
    """Settings of :class:`~baselines.gru_words.model.GRUWords`; the defaults are ``standard``."""

    width: int = setting(64, "width of embeddings and of the state", low=1)
    dropout: float = setting(0.4, "dropout of the events' vectors and of the states", high=1)
    max_history: int = setting(50, "events of the history that are read", low=1)
    query_words: int = setting(12, "word pieces of a query that are read", low=1)
    batch_size: int = setting(64, "sequences in a batch", low=1)
    learning_rate: float = setting(6e-3, "learning rate", low=1e-9)
    weight_decay: float = setting(0.0, "weight decay")


PRESETS = budgeted({"thorough": {"width": 128, "dropout": 0.5}})
