"""HSTU behind the harness's Model interface."""

from __future__ import annotations

from dataclasses import replace

from baselines.hstu.network import HSTUNetwork
from baselines.hstu.settings import PRESETS, HSTUSettings
from baselines.sequential.model import SequenceModel
from benchmark.given import Given
from benchmark.learning.costs import Cost, linear

__all__ = ["HSTU"]


class HSTU(SequenceModel[HSTUSettings]):
    """Gated attention without a softmax; an item's score is a cosine (Zhai et al. 2024)."""

    Settings = HSTUSettings
    presets = PRESETS
    name = "hstu"

    def given(self) -> Given:
        """Tell that it reads the order of events and, where told to, how long ago they were."""
        return replace(super().given(), times="order" if self.settings.time == "off" else "gaps")

    def network(self, items: int) -> HSTUNetwork:
        """Return HSTU layers."""
        s = self.settings
        return HSTUNetwork(
            items, s.max_history, s.width, s.layers, s.heads, s.dropout, s.temperature, s.time
        )

    def layer_costs(self, window: float) -> Cost:
        """Return what a position costs in all layers: projections, and biases to all before it."""
        s = self.settings
        projections = linear(s.width, 4 * s.width) + linear(s.width, s.width)
        products = Cost(flop=4 * window * s.width, floats=3 * s.heads * window + 8 * s.width)
        spans = Cost(floats=0 if s.time == "off" else 4 * window)
        return (projections + products + spans) * s.layers
