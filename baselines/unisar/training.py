"""Training UniSAR on past requests of both tasks."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from baselines.two_histories.training import TwoHistoriesTrainer
from baselines.unisar.contrast import ViewContrast
from baselines.unisar.encoder import Reading
from baselines.unisar.network import AskedRequests, UniSARNetwork
from baselines.unisar.settings import UniSARSettings
from benchmark.data.requests import Task
from benchmark.learning.steps import rows_of_all

__all__ = ["UniSARTrainer"]


class UniSARTrainer(TwoHistoriesTrainer[UniSARSettings]):
    """Weighs the tasks, and contrasts the two views of a history."""

    def weight(self, task: Task) -> float:
        """Return mu for search beside recommendation."""
        return self.settings.search_weight if task is Task.SEARCH and len(self.tasks) > 1 else 1.0

    def loss_of_histories(self, asked: AskedRequests | None) -> Tensor:
        """Return the contrasts of both kinds, of requests whose histories hold both kinds."""
        if not self.settings.contrast_weight:
            return torch.zeros((), device=self.context.device)
        if asked is None:
            nobody = torch.zeros(0, self.settings.width, device=self.context.device)
            rec = search = (nobody, nobody)
        else:
            both = asked.rec.real.any(dim=1) & asked.search.real.any(dim=1)
            rec, search = _views(asked.rec, both), _views(asked.search, both)
        network = cast(UniSARNetwork, self.reader.network)
        contrast = self._between(network.contrast_rec, rec) + self._between(
            network.contrast_search, search
        )
        return self.settings.contrast_weight * contrast

    def _between(self, contrast: ViewContrast, views: tuple[Tensor, Tensor]) -> Tensor:
        """Return a process's part of the contrast of the views that all processes have."""
        processes = self.context.processes
        first, second = (rows_of_all(view, processes) for view in views)
        loss: Tensor = contrast(first, second) / processes.count
        return loss


def _views(reading: Reading, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean states of the histories at ``rows``, within and across, ``[rows, width]``."""
    weights = reading.real.to(reading.within.dtype).unsqueeze(-1)
    count = weights.sum(dim=1).clamp_min(1)
    within, across = (
        (view * weights).sum(dim=1) / count for view in (reading.within, reading.across)
    )
    return within[rows], across[rows]
