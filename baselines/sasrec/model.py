"""SASRec behind the harness's Model interface."""

from __future__ import annotations

from baselines.recbole_bridge.modules import build_sasrec
from baselines.sasrec.network import SASRecNetwork
from baselines.sasrec.settings import PRESETS, SASRecSettings
from baselines.sequential.model import SequenceModel
from benchmark.learning.costs import Cost, transformer
from benchmark.learning.dropout import use_byte_dropout

__all__ = ["SASRec"]


class SASRec(SequenceModel[SASRecSettings]):
    """Self-attention over the items of the history; an item's score is a dot product."""

    Settings = SASRecSettings
    presets = PRESETS
    name = "sasrec"
    libraries = ("torch", "recbole")

    def network(self, items: int) -> SASRecNetwork:
        """Return RecBole's module."""
        s = self.settings
        sizes = {
            "n_layers": s.layers,
            "n_heads": s.heads,
            "hidden_size": s.width,
            "inner_size": s.inner,
            "hidden_dropout_prob": s.dropout,
            "attn_dropout_prob": s.attention_dropout,
        }
        network = build_sasrec(items, s.max_history, sizes, SASRecNetwork)
        use_byte_dropout(network)
        return network

    def layer_costs(self, window: float) -> Cost:
        """Return what a position costs in all transformer layers."""
        s = self.settings
        return transformer(s.layers, s.width, s.inner, s.heads, window)
