"""eSASRec behind the harness's Model interface."""

from __future__ import annotations

from baselines.esasrec.network import ESASRecNetwork
from baselines.esasrec.settings import PRESETS, ESASRecSettings
from baselines.sequential.model import SequenceModel
from benchmark.learning.costs import Cost, attention, linear

__all__ = ["ESASRec"]


class ESASRec(SequenceModel[ESASRecSettings]):
    """SASRec's training with LiGR layers and a sampled softmax (Tikhonovich et al. 2025)."""

    Settings = ESASRecSettings
    presets = PRESETS
    name = "esasrec"

    def network(self, items: int) -> ESASRecNetwork:
        """Return LiGR layers."""
        s = self.settings
        return ESASRecNetwork(items, s.max_history, s.width, s.layers, s.heads, s.inner, s.dropout)

    def layer_costs(self, window: float) -> Cost:
        """Return what a position costs in all layers, gates included."""
        s = self.settings
        transform = linear(s.width, 2 * s.inner) + linear(s.inner, s.width)
        gates = linear(s.width, s.width) * 2
        kept = Cost(floats=2 * s.inner + 6 * s.width)
        return (attention(s.width, s.heads, window) + transform + gates + kept) * s.layers
