"""Training SESRec on past recommendations."""

from __future__ import annotations

import torch
from torch import Tensor

from baselines.sesrec.interests import separation
from baselines.sesrec.network import AskedRequests
from baselines.sesrec.settings import SESRecSettings
from baselines.two_histories.training import TwoHistoriesTrainer

__all__ = ["SESRecTrainer"]


class SESRecTrainer(TwoHistoriesTrainer[SESRecSettings]):
    """Sets the similar and the dissimilar interests of a history apart."""

    def loss_of_histories(self, asked: AskedRequests | None) -> Tensor:
        """Return the separation of both kinds, of requests whose histories hold both kinds."""
        zero = torch.zeros((), device=self.context.device)
        if not self.settings.separate_weight:
            return zero
        if asked is None:
            self.context.processes.weights(0)
            return zero
        both = asked.rec.real.any(dim=1) & asked.search.real.any(dim=1)
        count = both.sum()
        (share,) = self.context.processes.weights(count)
        losses = separation(asked.rec, self.settings.separate_margin) + separation(
            asked.search, self.settings.separate_margin
        )
        mean = (losses * both).sum() / count.clamp_min(1)
        return share * self.settings.separate_weight * mean
