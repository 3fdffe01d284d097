"""Training: one pass over a window's events trains the tokens of all its targets."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from baselines.synergen.inputs import target_tokens, window_context
from baselines.synergen.losses import in_batch_loss, ranking_loss
from baselines.synergen.reader import ContextReader
from baselines.synergen.settings import SynerGenSettings
from benchmark.data.events import EventSource
from benchmark.data.requests import Task
from benchmark.learning.batches import by_length
from benchmark.learning.steps import descend
from benchmark.learning.windows import windows
from benchmark.model import TrainingContext, TrainView

__all__ = ["SynerGenTrainer", "negatives"]


class SynerGenTrainer:
    """Trains retrieval and ranking on every event of the context's tasks, a batch at a time.

    Args:
        reader: holds the network that is trained.
        settings: sizes of batches and windows, rate, losses.
        train: the events.
        context: tasks, seed, device, and the processes that share each batch.
    """

    def __init__(
        self,
        reader: ContextReader,
        settings: SynerGenSettings,
        train: TrainView,
        context: TrainingContext,
    ) -> None:
        self.reader, self.network, self.settings = reader, reader.network, settings
        self.log, self.context = train.log, context
        self.features = reader.queries.of(train.queries)
        kinds = [
            EventSource.RECOMMENDED if task == Task.REC else EventSource.SEARCHED
            for task in context.tasks
        ]
        self.kinds = np.array(kinds, dtype=np.uint8)
        targets = train.log.item[np.isin(train.log.kind, self.kinds)]
        counts = np.bincount(targets, minlength=len(train.items))
        self.share = torch.as_tensor(
            counts / max(len(targets), 1), dtype=torch.float32, device=context.device
        )
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return log rows of windows of similar length, in random order, each with a target."""
        rng = np.random.default_rng([self.context.seed, epoch])
        window = self.settings.max_history
        rows = windows(self.log, window, rng)
        targets = np.isin(self.log.kind[np.maximum(rows, 0)], self.kinds) & (rows >= 0)
        rows = rows[targets.any(axis=1)]
        length = (rows >= 0).sum(axis=1)
        batches = by_length(length, self.settings.batch_size, window / 8, rng)
        return [rows[batch] for batch in batches]

    def step(self, batch: NDArray[np.int64], rng: np.random.Generator) -> float:
        """Take a step on a batch of windows and return this process's part of the loss."""
        loss = self.loss(batch, rng)
        descend(self.optimiser, loss, self.context.processes, clip=1.0)
        return loss.item()

    def loss(self, rows: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
        """Return a process's part of the loss of windows of log ``rows``.

        It is the retrieval loss plus the ranking loss, each a mean over all windows' targets.
        """
        network, device, processes = self.network, self.context.device, self.context.processes
        whole = window_context(self.log, rows)
        every = np.isin(whole.events.kind, self.kinds) & whole.real
        columns, drawn = _some(every, self.settings.ranked, rng)
        part = processes.part(len(rows))
        targets, columns, drawn = every[part], columns[part], drawn[part]
        retrieved, ranked = processes.weights(targets.sum(), drawn.sum())
        if not len(targets):
            return torch.zeros((), device=device)
        context = whole.at(part)
        item = torch.as_tensor(context.events.item.astype(np.int64), device=device)
        real = torch.as_tensor(targets, device=device)
        items = network.items()
        units = functional.normalize(items, dim=-1)
        read = self.reader.read(items, context, target_tokens(context), self.features)
        wished = network.wished(read)
        first = int(every[: part.start].sum())
        loss = self._retrieval_loss(wished[real], units, whole.events.item[every], first)
        at = torch.as_tensor(columns, device=device)
        relevant = item.gather(1, at).clamp_min(0)
        with torch.no_grad():
            some = wished.gather(1, at.unsqueeze(-1).expand(-1, -1, wished.shape[-1]))
            logits = some @ units.T / self.settings.temperature
        others = negatives(logits, relevant, self.settings.negatives, self.settings.hard)
        scores = network.rank(read.at(at), items, torch.cat([relevant.unsqueeze(2), others], dim=2))
        ranking = ranking_loss(scores[torch.as_tensor(drawn, device=device)])
        return retrieved * loss + ranked * ranking

    def _retrieval_loss(
        self, wished: Tensor, units: Tensor, items: NDArray[np.integer], first: int
    ) -> Tensor:
        """Return InfoNCE of ``wished`` (``[targets, width]``) against the items' unit vectors.

        ``items`` are those of all targets of the batch, of which these are the ones from ``first``.
        """
        item = torch.as_tensor(items.astype(np.int64), device=wished.device)
        own = item[first : first + len(wished)]
        if self.settings.retrieval_loss == "catalogue":
            return functional.cross_entropy(wished @ units.T / self.settings.temperature, own)
        logits = wished @ functional.embedding(item, units).T / self.settings.temperature
        return in_batch_loss(logits, item, self.share[item], first)


def _some(
    wanted: NDArray[np.bool_], share: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Draw a share of each row's targets, one at least; return columns, and which are drawn."""
    counts = np.ceil(share * wanted.sum(axis=1)).astype(np.int64)
    draw = np.where(wanted, rng.random(wanted.shape), 2.0)
    columns = np.argsort(draw, axis=1, kind="stable")[:, : max(1, counts.max(initial=0))]
    return columns, np.arange(columns.shape[1]) < counts[:, None]


def negatives(logits: Tensor, relevant: Tensor, count: int, hard: float) -> Tensor:
    """Draw items other than the relevant one, ``[rows, targets, count]``.

    Args:
        logits: ``[rows, targets, items]``; a share ``hard`` of the items is drawn, without
            replacement, from their softmax.
        relevant: int64 ``[rows, targets]``.
        count: items for each target.
        hard: the share; the others are uniform.
    """
    items = logits.shape[-1]
    near = min(round(count * hard), items - 1)
    far = torch.randint(max(items - 1, 1), (*relevant.shape, count - near), device=logits.device)
    far = (far + (far >= relevant.unsqueeze(-1))).clamp_max(items - 1)
    if near == 0:
        return far
    noise = -torch.empty_like(logits).exponential_().log()
    without = (logits + noise).scatter(-1, relevant.unsqueeze(-1), -torch.inf)
    return torch.cat([without.topk(near, dim=-1).indices, far], dim=-1)
