"""What RecBole's models ask of its data set when they are built, answered from our data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from baselines.recbole_bridge.environment import as_recbole_expects

with as_recbole_expects():
    from recbole.data.interaction import Interaction
    from recbole.utils import FeatureType

__all__ = ["Interaction", "StandIn", "interaction"]


def interaction(columns: Mapping[str, NDArray], device: str) -> Interaction:
    """Return a batch in RecBole's own form, on ``device``.

    ``columns`` maps RecBole's names to arrays with one row for each sample.
    """
    tensors = {name: torch.as_tensor(np.ascontiguousarray(v)) for name, v in columns.items()}
    return Interaction(tensors).to(device)


class StandIn:
    """Stands in for a RecBole data set whose users and items are nothing but ids.

    User ``u`` and item ``i`` of ours are rows ``u + 1`` and ``i + 1``; row 0 is padding.

    Attributes:
        config: RecBole's configuration; embedding layers read it here.
        inter_feat: all training samples, for models that look for others with the same target.
    """

    def __init__(
        self, users: int, items: int, config: Any, samples: dict[str, NDArray[np.int64]]
    ) -> None:
        self.config = config
        self._user, self._item = config["USER_ID_FIELD"], config["ITEM_ID_FIELD"]
        self._sizes = {self._user: users + 1, self._item: items + 1}
        self.field2type = dict.fromkeys(self._sizes, FeatureType.TOKEN)
        listed = self._item + config["LIST_SUFFIX"]
        self.field2seqlen = {listed: config["MAX_ITEM_LIST_LENGTH"]}
        self.inter_feat = Interaction({n: torch.as_tensor(v) for n, v in samples.items()})

    def num(self, field: str) -> int:
        """Return the number of distinct values of a field, padding included."""
        return self._sizes[field]

    @property
    def user_num(self) -> int:
        """Number of users, padding included."""
        return self._sizes[self._user]

    @property
    def item_num(self) -> int:
        """Number of items, padding included."""
        return self._sizes[self._item]

    def get_user_feature(self) -> Interaction:
        """Return the user table: ids."""
        return Interaction({self._user: torch.arange(self.user_num)})

    def get_item_feature(self) -> Interaction:
        """Return the item table: ids."""
        return Interaction({self._item: torch.arange(self.item_num)})
