"""RecBole's SASRec as a network of sequences."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from baselines.recbole_bridge.modules import RecBoleSASRec
from baselines.sequential.network import SequenceNetwork, Sequences

__all__ = ["SASRecNetwork"]


class SASRecNetwork(RecBoleSASRec, SequenceNetwork):
    """RecBole's module, asked for the states of all positions."""

    item_embedding: nn.Embedding
    position_embedding: nn.Embedding
    LayerNorm: nn.LayerNorm
    dropout: nn.Module
    trm_encoder: nn.Module
    get_attention_mask: Callable[[Tensor], Tensor]

    def states_of(self, sequences: Sequences) -> Tensor:
        """Return the states of every position, ``[rows, positions, width]``.

        RecBole's own ``forward`` is this up to its last line, which keeps one position only.
        """
        items = sequences.items
        places = torch.arange(items.shape[1], device=items.device)
        embedded = self.item_embedding(items) + self.position_embedding(places)
        embedded = self.dropout(self.LayerNorm(embedded))
        mask = self.get_attention_mask(items)
        states: Tensor = self.trm_encoder(embedded, mask, output_all_encoded_layers=True)[-1]
        return states

    def item_table(self) -> Tensor:
        """Return the items' embeddings, ``[items, width]``."""
        return self.item_embedding.weight[1:]
