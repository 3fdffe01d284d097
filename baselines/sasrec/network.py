"""SASRec as a network of sequences."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from baselines.sasrec.settings import EncoderSettings
from baselines.sasrec.transformer import (
    NORM_EPSILON,
    TransformerEncoder,
    causal_mask,
    draw_weights,
)
from baselines.sequential.network import SequenceNetwork, Sequences
from benchmark.learning.dropout import use_byte_dropout

__all__ = ["SASRecNetwork", "new_network"]


class SASRecNetwork(SequenceNetwork):
    """Items and positions through a causal transformer; weights have the names of RecBole's.

    Args:
        settings: sizes.
        items: of the catalogue; item ``i`` is row ``i + 1`` of the table, row 0 is padding.
    """

    item_embedding: nn.Module

    def __init__(self, settings: EncoderSettings, items: int) -> None:
        super().__init__()
        self.item_embedding = nn.Embedding(items + 1, settings.width, padding_idx=0)
        self.position_embedding = nn.Embedding(settings.max_history, settings.width)
        self.trm_encoder = TransformerEncoder(
            settings.layers,
            settings.width,
            settings.heads,
            settings.inner,
            settings.dropout,
            settings.attention_dropout,
        )
        self.LayerNorm = nn.LayerNorm(settings.width, eps=NORM_EPSILON)
        self.dropout = nn.Dropout(settings.dropout)
        self.apply(draw_weights)

    def states_of(self, sequences: Sequences) -> Tensor:
        """Return the states of every position, ``[rows, positions, width]``."""
        items = sequences.items
        places = torch.arange(items.shape[1], device=items.device)
        embedded = self.item_embedding(items) + self.position_embedding(places)
        states: Tensor = self.trm_encoder(
            self.dropout(self.LayerNorm(embedded)), causal_mask(items)
        )
        return states

    def item_table(self) -> Tensor:
        """Return the items' embeddings, ``[items, width]``."""
        return cast(Tensor, self.item_embedding.weight)[1:]


def new_network(settings: EncoderSettings, items: int) -> SASRecNetwork:
    """Return a network for so many items, with weights drawn by torch's own generator."""
    network = SASRecNetwork(settings, items)
    use_byte_dropout(network)
    return network
