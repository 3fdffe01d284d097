"""Where a generator loses the order of items: python -m tests.prefix_nats REFERENCE GENERATOR.

Both are folders of runs on the same data with their weights, for instance of ``sasrec`` and of
``gensar``. What a model says of all items is parted into the probability of an item's prefix and
that of the item behind it, for the generator's prefixes of each length, and put together anew: the
prefix by one model, what is behind it by the other. Asked are the validation requests, each for one
of its relevant items, and items of the history are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp

from benchmark.data.requests import Requests, Task
from benchmark.exchange.export import stored_model
from benchmark.model import Model
from benchmark.results.record import read_run
from benchmark.running.dataset_of import dataset_of
from gensar.engine.generator import Generator

CUTOFF = 10
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """Requests, and the item ``[requests]`` that each is asked for."""

    requests: Requests
    item: NDArray[np.int64]

    def log_probs(self, model: Model) -> Scores:
        """Return ``[requests, items]``; scores that are no log-probabilities count as logits."""
        return log_softmax(model.score(self.requests).astype(np.float64), axis=1)

    def nats(self, log_probs: Scores) -> float:
        """Return the mean of minus the log-probability of the item that is asked for."""
        return -float(log_probs[np.arange(len(self.item)), self.item].mean())

    def ndcg(self, log_probs: Scores) -> float:
        """Return the mean NDCG@10, seen items left out; ties count for the model."""
        offsets, seen = self.requests.seen()
        left = log_probs.copy()
        if self.requests.exclude_seen:
            left[np.repeat(np.arange(len(left)), np.diff(offsets)), seen] = -np.inf
        own = left[np.arange(len(left)), self.item][:, None]
        rank = (left > own).sum(axis=1)
        return float(np.where(rank < CUTOFF, 1 / np.log2(rank + 2), 0).mean())


def parted(log_probs: Scores, group: NDArray[np.int64]) -> tuple[Scores, Scores]:
    """Return log-probabilities of each item's group, and of it in there, as ``log_probs``."""
    groups = [logsumexp(log_probs[:, group == each], axis=1) for each in range(group.max() + 1)]
    whole = np.stack(groups, axis=1)[:, group]
    return whole, log_probs - whole


def main(
    reference: Path, generator: Path, task: Annotated[Task, typer.Option()] = Task.REC
) -> None:
    """Print nats and NDCG@10 of both, of their parts, and of parts put together anew."""
    run = read_run(generator)
    data = dataset_of(run)
    asked = data.evaluation["validation", task]
    _, first = np.unique(asked.relevant.request, return_index=True)
    of_all = Asked(asked.requests, asked.relevant.item[first].astype(np.int64))
    model = stored_model(run)
    if not isinstance(model, Generator):
        raise typer.BadParameter(f"{run.info['model']} writes no identifiers")
    there, here = of_all.log_probs(stored_model(read_run(reference))), of_all.log_probs(model)
    for name, each in (("reference", there), ("generator", here)):
        print(f"{name}: {of_all.nats(each):.3f} nats, NDCG@10 {of_all.ndcg(each):.4f}")
    codes = model.vocabulary.identifiers.codes[model.identifier_of(task)]
    for length in range(1, codes.shape[1]):
        _, group = np.unique(codes[:, :length], axis=0, return_inverse=True)
        group = group.ravel()
        (prefix, behind), (own, own_behind) = parted(there, group), parted(here, group)
        print(
            f"{length} codes, {group.max() + 1} prefixes:"
            f" prefix {of_all.nats(own):.3f} nats (reference {of_all.nats(prefix):.3f}),"
            f" behind it {of_all.nats(own_behind):.3f} ({of_all.nats(behind):.3f});"
            f" NDCG@10 with its prefix {of_all.ndcg(own + behind):.4f},"
            f" with the reference's {of_all.ndcg(prefix + own_behind):.4f}"
        )


if __name__ == "__main__":
    typer.run(main)
