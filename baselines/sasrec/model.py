"""SASRec behind the harness's Model interface."""

from __future__ import annotations

from baselines.sasrec.network import SASRecNetwork, new_network
from baselines.sasrec.settings import PRESETS, SASRecSettings
from baselines.sequential.model import SequenceModel
from benchmark.learning.costs import Cost, transformer

__all__ = ["SASRec"]


class SASRec(SequenceModel[SASRecSettings]):
    """Self-attention over the items of the history; an item's score is a dot product."""

    Settings = SASRecSettings
    presets = PRESETS
    name = "sasrec"
    libraries = ("torch",)

    def network(self, items: int) -> SASRecNetwork:
        """Return RecBole's module."""
        return new_network(self.settings, items)

    def layer_costs(self, window: float) -> Cost:
        """Return what a position costs in all transformer layers."""
        s = self.settings
        return transformer(s.layers, s.width, s.inner, s.heads, window)
