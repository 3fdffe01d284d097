"""RecBole's SASRec as a network of sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from baselines.recbole_bridge.modules import RecBoleSASRec, build_sasrec
from baselines.sasrec.settings import EncoderSettings
from baselines.sequential.network import SequenceNetwork, Sequences
from benchmark.learning.dropout import use_byte_dropout

__all__ = ["SASRecNetwork", "new_network"]


class SASRecNetwork(RecBoleSASRec, SequenceNetwork):
    """RecBole's module, asked for the states of all positions."""

    item_embedding: nn.Module
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
        return cast(Tensor, self.item_embedding.weight)[1:]


def new_network(settings: EncoderSettings, items: int) -> SASRecNetwork:
    """Return a network for so many items, with weights drawn by torch's own generator."""
    sizes = {
        "n_layers": settings.layers,
        "n_heads": settings.heads,
        "hidden_size": settings.width,
        "inner_size": settings.inner,
        "hidden_dropout_prob": settings.dropout,
        "attn_dropout_prob": settings.attention_dropout,
    }
    network = build_sasrec(items, settings.max_history, sizes, SASRecNetwork)
    use_byte_dropout(network)
    return network
