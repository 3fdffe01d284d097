"""A data set as the harness uses it: training view, and requests with frozen candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.data.catalogue import Items, Queries
from benchmark.data.events import EventLog
from benchmark.data.requests import Requests, Task
from benchmark.model import TrainView

__all__ = ["Dataset", "EvaluationSet", "Part"]

Part = Literal["validation", "test"]


@dataclass(frozen=True)
class EvaluationSet:
    """The requests of one task and part, with what only the harness may know.

    Attributes:
        requests: what models are asked; ``candidates`` is ``None`` (the full protocol).
        targets: int32 ``[requests]``, the relevant item of each request.
        sampled: int32 ``[requests, candidates]``, the sampled protocol's lists, each row
            ascending and holding the target.
    """

    requests: Requests
    targets: NDArray[np.int32]
    sampled: NDArray[np.int32]


@dataclass(frozen=True)
class Dataset:
    """A prepared data set.

    Attributes:
        name: the card's name.
        digest: SHA-256 (hex) over source files, card and everything derived except candidates.
        candidates_digest: SHA-256 (hex) over all frozen candidate lists.
        log: all events, test events too: for the harness, never for a model.
        train: what models learn from.
        evaluation: by part and task; a task without a single request is missing.
    """

    name: str
    digest: str
    candidates_digest: str
    log: EventLog
    items: Items
    queries: Queries
    train: TrainView
    evaluation: dict[tuple[Part, Task], EvaluationSet]
