"""Training scorers of candidates on past requests, to be read by both histories before them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.two_histories.alignment import ClickPairs, clicked
from baselines.two_histories.histories import Histories, read_histories
from baselines.two_histories.inputs import Lookup, Reader, distinct
from baselines.two_histories.samples import (
    KIND,
    past_stretches,
    ranking_loss,
    stretches,
    wrong_answers,
)
from baselines.two_histories.settings import TwoHistoriesSettings
from benchmark.data.events import NO_QUERY
from benchmark.data.requests import PAD, Task
from benchmark.learning.batches import length_order
from benchmark.learning.steps import descend
from benchmark.learning.training_requests import TrainingRequests
from benchmark.model import TrainingContext, TrainView

__all__ = ["TwoHistoriesTrainer"]

JITTER = 8
"""Events by which a history may be longer than the next one of its epoch's order."""

S = TypeVar("S", bound=TwoHistoriesSettings)


class TwoHistoriesTrainer(ABC, Generic[S]):
    """Trains a step at a time; every random choice follows from the seed and the step.

    A model adds what it wants of the histories beside ranking and alignment.
    """

    def __init__(
        self, reader: Reader, settings: S, train: TrainView, context: TrainingContext
    ) -> None:
        self.reader, self.settings, self.context = reader, settings, context
        self.log, self.past = train.log, TrainingRequests(train)
        self.items = len(train.items)
        self.known_queries = distinct(train.log.query[train.log.query != NO_QUERY])
        self.tasks = [t for t in context.tasks if len(train.log.rows_of_kind[KIND[t]])]
        weights = list(reader.network.parameters())
        groups: list[dict[str, Any]] = [
            {
                "params": [w for w in weights if w.dim() > 1],
                "weight_decay": settings.weight_decay,
            },
            {"params": [w for w in weights if w.dim() < 2]},
        ]
        self.optimiser = torch.optim.Adam(groups, lr=settings.learning_rate)

    @abstractmethod
    def loss_of_histories(self, asked: Any | None) -> Tensor:
        """Return this process's part of what else a model wants, weighted.

        Args:
            asked: what the network's ``ask`` returned for this process's requests; ``None`` where
                it has none, and only answers what others ask of all processes.
        """

    def weight(self, task: Task) -> float:
        """Return the weight of a task's loss."""
        return 1.0

    def step(self, batch: list[tuple[Task, NDArray[np.int64]]], rng: np.random.Generator) -> float:
        """Take a step on stretches of the tasks and return this process's part of the loss."""
        losses = [self.weight(task) * self.loss(task, rows, rng) for task, rows in batch]
        loss = torch.stack(losses).sum()
        descend(self.optimiser, loss, self.context.processes)
        return loss.item()

    def loss(self, task: Task, rows: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
        """Return a process's part of the loss of some stretches, log rows ``[stretches, ahead]``.

        It is the ranking loss of their events, plus the weighted alignment of their histories'
        queries, plus :meth:`loss_of_histories`.
        """
        negatives = rng.integers(0, self.items, (len(rows), self.settings.negatives))
        part = self.context.processes.part(len(rows))
        rows, negatives = rows[part], negatives[part]
        if not len(rows):
            self.context.processes.weights(0, 0)
            return self.loss_of_histories(None)
        requests = past_stretches(self.past, task, rows)
        histories = read_histories(requests, self.settings.max_history)
        targets = np.where(rows >= 0, self.log.item[rows], PAD).astype(np.int64)
        wanted = np.where(rows >= 0, self.log.query[rows], NO_QUERY).astype(np.int64)
        candidates = np.concatenate([targets, negatives], axis=1)
        pairs = self._pairs(histories, rng)
        read = (candidates, histories.rec.item, histories.search.item)
        items = self.reader.items(
            distinct(*(np.maximum(r, 0) for r in read), pairs.item, pairs.other_item)
        )
        queries = self.reader.queries(
            requests.queries,
            distinct(wanted, histories.search.query, pairs.query, pairs.other_query),
        )
        own = wanted
        if task is Task.REC:
            wanted = wanted[:, :1]
        asked = self.reader.ask(requests, wanted, histories, items, queries)
        chosen = items.places(np.maximum(candidates, 0))
        scores = self.reader.network.score(task, asked, items.vectors, chosen)
        ranked, aligned = self.context.processes.weights((rows >= 0).sum(), len(pairs.query))
        loss = ranked * ranking_loss(
            scores,
            self._tensor(targets >= 0),
            self._tensor(wrong_answers(own, targets, candidates)),
            self.settings.loss,
        )
        if self.settings.align_weight and len(pairs.query):
            weight = aligned * self.settings.align_weight
            loss = loss + weight * self._alignment(pairs, items, queries)
        return loss + self.loss_of_histories(asked)

    def _tensor(self, array: NDArray[np.bool_]) -> Tensor:
        return torch.as_tensor(array, device=self.context.device)

    def _pairs(self, histories: Histories, rng: np.random.Generator) -> ClickPairs:
        """Draw pairs of query and clicked item from the histories, and others against them.

        Of several processes each draws its part of the pairs from its own histories.
        """
        count = self.context.processes.count
        return clicked(
            histories.search,
            self.known_queries,
            self.items,
            most=-(-self.settings.align_pairs // count),
            others=self.settings.align_negatives,
            # Processes whose parts hold as much go on drawing alike; what all have to agree on,
            # the batches of the epoch, is drawn before.
            always=count > 1,
            rng=rng,
        )

    def _alignment(self, pairs: ClickPairs, items: Lookup, queries: Lookup) -> Tensor:
        loss: Tensor = self.reader.network.align(
            queries(pairs.query),
            items(pairs.item),
            queries(pairs.other_query),
            items(pairs.other_item),
        )
        return loss

    def batches(self, epoch: int) -> list[list[tuple[Task, NDArray[np.int64]]]]:
        """Return the stretches of each step, by task, with histories of similar length.

        The task with more events decides the number of steps; the other one's batches are as
        much smaller.
        """
        rng = np.random.default_rng([self.context.seed, epoch])
        cut = {task: stretches(self.log, task, self.settings.ahead, rng) for task in self.tasks}
        most = max((int((rows >= 0).sum()) for rows in cut.values()), default=0)
        steps = -(-most // self.settings.batch_size)
        pieces: dict[Task, list[NDArray[np.int64]]] = {}
        for task, rows in cut.items():
            order = length_order(self._lengths(rows[:, 0]), JITTER, rng)
            parts = np.array_split(rows[order], steps)
            pieces[task] = [parts[place] for place in rng.permutation(steps)]
        batches = (
            [(task, parts[step]) for task, parts in pieces.items() if len(parts[step])]
            for step in range(steps)
        )
        return [batch for batch in batches if batch]  # a stretch has several events, a step one

    def _lengths(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return about how many events the histories before ``rows`` hold."""
        start = self.log.offsets[self.log.user[rows]]
        length: NDArray[np.int64] = np.zeros(len(rows), dtype=np.int64)
        for places in self.log.rows_of_kind.values():
            count = np.searchsorted(places, rows) - np.searchsorted(places, start)
            length += np.minimum(count, self.settings.max_history)
        return length
