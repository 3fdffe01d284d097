"""Which past events are asked for together, and what each is held against."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import PAD, Requests, Task
from benchmark.learning.training_requests import TrainingRequests

__all__ = ["KIND", "past_stretches", "ranking_loss", "stretches", "wrong_answers"]

KIND = {Task.REC: EventSource.RECOMMENDED, Task.SEARCH: EventSource.SEARCHED}


def stretches(log: EventLog, task: Task, ahead: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Cut every user's events of a task into stretches of ``ahead`` neighbours, a user's first
    one shortened at random.

    Returns:
        log rows int64 ``[stretches, ahead]``, padded with ``PAD`` on the right.
    """
    rows = log.rows_of_kind[KIND[task]]
    if len(rows) == 0:
        return np.empty((0, ahead), dtype=np.int64)
    user = log.user[rows]
    number = np.arange(len(rows)) - np.searchsorted(user, user)
    stretch = (number + rng.integers(0, ahead, log.users)[user]) // ahead
    new = np.flatnonzero((np.diff(user, prepend=-1) != 0) | (np.diff(stretch, prepend=-1) != 0))
    stop = np.append(new[1:], len(rows))
    places = new[:, None] + np.arange(ahead)
    return np.where(places < stop[:, None], rows[np.minimum(places, len(rows) - 1)], PAD)


def past_stretches(past: TrainingRequests, task: Task, rows: NDArray[np.int64]) -> Requests:
    """Return one request for each stretch, made at the time of its first event.

    ``rows`` is what :func:`stretches` returned. A history is strictly earlier than that event, so
    it holds no event of the stretch nor of its time.
    """
    return past.of(task, rows[:, 0])


def wrong_answers(
    queries: NDArray[np.integer], targets: NDArray[np.integer], candidates: NDArray[np.integer]
) -> NDArray[np.bool_]:
    """Return which candidates are wrong for which event, bool ``[stretches, ahead, candidates]``.

    The item of another event of the stretch is wrong only if its query is another: nothing else
    tells events apart. Recommendations have no query, so their items are never wrong.

    Args:
        queries: ``[stretches, ahead]``, of each event.
        targets: ``[stretches, ahead]``, its item; ``PAD`` where there is no event.
        candidates: ``[stretches, candidates]``, ``PAD`` where there is none.
    """
    alike = queries[:, :, None] == queries[:, None, :]
    right = alike @ (targets[:, :, None] == candidates[:, None, :])
    return ~right & (candidates >= 0)[:, None, :]


def ranking_loss(scores: Tensor, real: Tensor, wrong: Tensor, kind: str) -> Tensor:
    """Return the mean loss of all events.

    Args:
        scores: ``[stretches, ahead or 1, candidates]``; candidate ``i`` is event ``i``'s item.
        real: bool ``[stretches, ahead]``, which events there are.
        wrong: bool ``[stretches, ahead, candidates]``.
        kind: ``softmax`` (cross-entropy of the item among the wrong ones) or ``binary`` (mean
            binary cross-entropy of the item and the wrong ones, as in the paper).
    """
    ahead = real.shape[1]
    scores = scores.expand(-1, ahead, -1)
    own = scores.diagonal(dim1=1, dim2=2)[real]
    others, wrong = scores[real], wrong[real]
    if kind == "softmax":
        others = others.masked_fill(~wrong, -torch.inf)
        return (torch.cat([own[:, None], others], dim=1).logsumexp(dim=1) - own).mean()
    losses = functional.softplus(-own) + (functional.softplus(others) * wrong).sum(dim=1)
    return (losses / (1 + wrong.sum(dim=1))).mean()
