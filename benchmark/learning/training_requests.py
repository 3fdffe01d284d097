"""Training events as the requests that would have led to them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.data.dataset import TrainView
from benchmark.data.requests import Requests, Task
from benchmark.learning.simultaneous_duplicates import earlier_twins, previous_twins

__all__ = ["TrainingRequests"]


class TrainingRequests:
    """Gives a model its training samples in the form in which it will be asked.

    So one piece of code turns histories into inputs, for training and for evaluation alike. The
    twins of an event (its copies of the same user, item and time) are left out of its history, as
    they are when the harness asks.
    """

    def __init__(self, train: TrainView) -> None:
        self._train = train
        self._twins = previous_twins(train.log)

    def of(self, task: Task, rows: NDArray[np.integer]) -> Requests:
        """Return the events at the log rows ``rows`` as requests of ``task`` over the catalogue.

        What is relevant to request ``i`` is ``train.log.item[rows[i]]``.
        """
        log = self._train.log
        return Requests(
            task=task,
            user=log.user[rows],
            time=log.time[rows],
            query=log.query[rows],
            queries=self._train.queries,
            items=len(self._train.items),
            candidates=None,
            exclude_seen=False,
            _log=log,
            _stop=rows.astype(np.int64),
            _omit=earlier_twins(self._twins, rows.astype(np.int64)),
        )
