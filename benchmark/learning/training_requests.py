"""Training events as the requests that would have led to them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.data.dataset import TrainView
from benchmark.data.requests import Requests, Task

__all__ = ["TrainingRequests"]


class TrainingRequests:
    """Gives a model its training samples in the form in which it will be asked.

    So one piece of code turns histories into inputs, for training and for evaluation alike. What
    shares the time or the session of an event is left out of its history, as it is when the
    harness asks.
    """

    def __init__(self, train: TrainView) -> None:
        self._train = train

    def of(self, task: Task, rows: NDArray[np.integer]) -> Requests:
        """Return the events at the log rows ``rows`` as requests of ``task`` over the catalogue.

        What is relevant to request ``i`` is ``train.log.item[rows[i]]``.
        """
        log = self._train.log
        stop, omit = log.outside_session(rows.astype(np.int64), log.first_of_moment[rows])
        return Requests.before(
            log,
            stop,
            task=task,
            user=log.user[rows],
            time=log.time[rows],
            query=log.query[rows],
            queries=self._train.queries,
            items=len(self._train.items),
        ).without(omit)
