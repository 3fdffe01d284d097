"""From events and tokens as arrays to what the network reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.synergen.embedding import SynerGenNetwork
from baselines.synergen.inputs import AskingTokens, Context, visible
from baselines.synergen.network import Read
from baselines.synergen.rotary import Clock
from baselines.synergen.texts import EncodedQueries, WordQueries

__all__ = ["ContextReader"]


@dataclass(frozen=True)
class ContextReader:
    """Feeds events, and tokens that ask about them, to a network.

    Attributes:
        network: is on ``device``.
        queries: turns tables of queries into features.
        clock: turns times into rotations.
        device: ``cpu`` or ``cuda``.
    """

    network: SynerGenNetwork
    queries: EncodedQueries | WordQueries
    clock: Clock
    device: str

    def read(self, items: Tensor, context: Context, asking: AskingTokens, features: Tensor) -> Read:
        """Read events and place tokens behind them.

        Args:
            items: the items' vectors.
            context: the events.
            asking: the tokens.
            features: of all queries, from ``queries.of``.
        """
        events, origin = context.events, context.origin
        size = self.network.head_size

        def tensor(values: NDArray, dtype: torch.dtype) -> Tensor:
            return torch.as_tensor(values, dtype=dtype, device=self.device)

        def words(query: NDArray) -> Tensor:
            rows = tensor(query, torch.int64) % len(features)
            return self.network.queries(features[rows])

        memory = self.network.read(
            items,
            tensor(np.maximum(events.item, 0), torch.int64),
            tensor(events.kind, torch.int64),
            words(events.query),
            self.clock.rotation(events.time, context.place, origin, size, self.device),
            tensor(visible(context, context.place), torch.bool),
        )
        return Read(
            self.network.tokens(tensor(asking.search, torch.bool), words(asking.query)),
            self.clock.rotation(asking.time, asking.place, origin, size, self.device),
            tensor(visible(context, asking.place), torch.bool),
            memory,
        )
