"""RecBole's model classes without RecBole's configuration, data set and trainer.

RecBole's sequential models ask their configuration and data set for a handful of values only.
:mod:`baselines.recbole_bridge` makes RecBole's own configuration, for any model; that takes
seconds to import, which every start of SASRec, and of GenSAR with it, would pay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import baselines.recbole_bridge.environment  # noqa: F401 - before RecBole, which it tames

# isort: split
from recbole.model.sequential_recommender.sasrec import SASRec as RecBoleSASRec

__all__ = ["RecBoleSASRec", "build_sasrec"]


class _Config(dict[str, Any]):
    """RecBole reads its configuration like a mapping; an unknown name is an error here."""


class _ItemCount:
    """Stands in for a RecBole data set: models ask it for the number of items, padding included."""

    def __init__(self, items: int) -> None:
        self.items = items

    def num(self, _field: str) -> int:
        """Return the number of distinct values of a field."""
        return self.items


Kind = TypeVar("Kind", bound=RecBoleSASRec)


def build_sasrec(items: int, window: int, sizes: Mapping[str, Any], kind: type[Kind]) -> Kind:
    """Return RecBole's SASRec module with fresh weights.

    Args:
        items: number of items; item ``i`` of the catalogue is row ``i + 1``, row 0 is padding.
        window: number of positions.
        sizes: RecBole's names: ``n_layers``, ``n_heads``, ``hidden_size``, ``inner_size``,
            ``hidden_dropout_prob``, ``attn_dropout_prob``.
        kind: RecBole's class or one that builds on it.
    """
    config = _Config(
        USER_ID_FIELD="user_id",
        ITEM_ID_FIELD="item_id",
        LIST_SUFFIX="_list",
        ITEM_LIST_LENGTH_FIELD="item_length",
        NEG_PREFIX="neg_",
        MAX_ITEM_LIST_LENGTH=window,
        device="cpu",
        hidden_act="gelu",
        layer_norm_eps=1e-12,
        initializer_range=0.02,
        loss_type="CE",
        **sizes,
    )
    return kind(config, _ItemCount(items + 1))
