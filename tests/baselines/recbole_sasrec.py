"""RecBole's own SASRec module, without its configuration, data set and trainer, to compare with."""

from __future__ import annotations

from typing import Any

import baselines.recbole_bridge.environment  # noqa: F401 - before RecBole, which it tames

# isort: split
from recbole.model.sequential_recommender.sasrec import SASRec

from baselines.sasrec.settings import EncoderSettings

__all__ = ["recbole_sasrec"]


class _Config(dict[str, Any]):
    """RecBole reads its configuration like a mapping; an unknown name is an error here."""


class _ItemCount:
    """Stands in for a RecBole data set: models ask it for the number of items, padding included."""

    def __init__(self, items: int) -> None:
        self.items = items

    def num(self, _field: str) -> int:
        return self.items


def recbole_sasrec(settings: EncoderSettings, items: int) -> SASRec:
    """Return RecBole's module of the same sizes, with fresh weights."""
    config = _Config(
        USER_ID_FIELD="user_id",
        ITEM_ID_FIELD="item_id",
        LIST_SUFFIX="_list",
        ITEM_LIST_LENGTH_FIELD="item_length",
        NEG_PREFIX="neg_",
        MAX_ITEM_LIST_LENGTH=settings.max_history,
        device="cpu",
        hidden_act="gelu",
        layer_norm_eps=1e-12,
        initializer_range=0.02,
        loss_type="CE",
        n_layers=settings.layers,
        n_heads=settings.heads,
        hidden_size=settings.width,
        inner_size=settings.inner,
        hidden_dropout_prob=settings.dropout,
        attn_dropout_prob=settings.attention_dropout,
    )
    return SASRec(config, _ItemCount(items + 1))
