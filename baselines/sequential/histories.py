"""Reading the histories of requests."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from baselines.sequential.network import ReadsSequences, Sequences
from baselines.sequential.settings import ReadingSettings
from benchmark.data.events import EventSource
from benchmark.data.requests import Requests

__all__ = ["last_states"]


def last_states(
    network: ReadsSequences, requests: Requests, settings: ReadingSettings, device: str
) -> Tensor:
    """Return the state at the end of each request's history, ``[requests, width]``.

    A request without history is answered from a single padding position.
    """
    kind = None if settings.history == "all" else EventSource.RECOMMENDED
    history = requests.history(settings.max_history, kind)
    longest = max(int(history.length.max(initial=0)), 1)
    last = np.maximum(history.length - 1, 0)
    items, times = history.item[:, :longest], history.time[:, :longest]
    asked = np.concatenate([times[:, 1:], requests.time[:, None]], axis=1)
    asked[np.arange(len(requests)), last] = requests.time
    states = network.states_of(Sequences.of(items, times, asked, device))
    return states[torch.arange(len(requests), device=device), torch.as_tensor(last, device=device)]
