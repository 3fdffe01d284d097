"""UnifiedSSR behind the harness's interface: two weight sets, one for each task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.unifiedssr.network import UnifiedSSRNetwork
from baselines.unifiedssr.sequences import of_requests
from baselines.unifiedssr.settings import PRESETS, UnifiedSSRSettings
from baselines.unifiedssr.training import TaskSequences, UnifiedSSRTrainer
from baselines.words import MOST_PIECES, Words
from benchmark.data.catalogue import Queries
from benchmark.data.requests import Requests, Task
from benchmark.given import Given
from benchmark.learning.costs import (
    FLOAT,
    Cost,
    attention,
    epoch_of,
    feed_forward,
    forward,
    trained,
)
from benchmark.learning.weights import arrays_of, count_weights, take_arrays
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, Work

__all__ = ["UnifiedSSR", "UnifiedSSRSettings"]


class UnifiedSSR(Model[UnifiedSSRSettings]):
    """Joint model of sequential search and recommendation (arXiv 2310.13921).

    One encoder reads products in sight of queries and queries in sight of products. It is trained
    for both tasks, then copied and fine-tuned for each; ``networks`` holds the copies.
    """

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC, Task.SEARCH})
    Settings = UnifiedSSRSettings
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = PRESETS
    uses_gpu = True
    shares_training = True

    networks: dict[Task, UnifiedSSRNetwork]

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Tell the layers, of which search runs each stream through, and one softmax a branch.

        The phases that fine-tune hold a second copy of the weights.
        """
        s, window = self.settings, sizes.window(self.settings.max_history)
        layer = attention(s.width, s.heads, window) * 2 + feed_forward(s.width, s.inner)
        softmax = Cost(flop=2 * sizes.items * s.width, floats=8 * s.width)
        branch = layer * s.layers + softmax
        pieces = min(MOST_PIECES, (sizes.item_bytes + sizes.query_bytes) / 4)
        table = (sizes.users + sizes.items + pieces) * s.width
        learned = {
            Task.REC: sizes.events if s.history == "all" else sizes.events - sizes.searches,
            Task.SEARCH: sizes.searches,
        }
        branches = {Task.REC: 1, Task.SEARCH: 2}

        def steps(of: tuple[Task, ...]) -> float:
            return sum(sizes.stretches(s.max_history, learned[task]) for task in of) / s.batch_size

        def epoch(of: tuple[Task, ...]) -> Work:
            positions = sum(branches[task] * learned[task] for task in of)
            batch = s.batch_size * window * max(branches[task] for task in of)
            words = s.batch_size * window * s.query_words * s.width * (Task.SEARCH in of)
            one = epoch_of(branch, positions, batch, steps(of), table)
            return replace(one, held=one.held + 2 * FLOAT * words)

        read = forward(layer * 2 * s.layers, sizes.mean_window(s.max_history))
        request = Work(
            flop=read.flop + 2 * sizes.items * s.width,
            moved=read.moved,
            calls=1 / 256,
            held=FLOAT * (256 * window * layer.floats + 2 * sizes.at_once * sizes.items),
        )

        def phase(name: str, of: tuple[Task, ...], share: float) -> Work:
            budget = s.of_share(share)
            work = trained(budget, epoch(of), steps(of), request, sizes, of)
            return replace(work, limit=work.limit * share).named(name)

        weights = layer.weights * s.layers + table
        return Needs(
            (
                phase("pretrain", tasks, 1 - s.finetune_share * len(tasks)),
                *(phase(f"fine-tune-{task}", (task,), s.finetune_share) for task in tasks),
            ),
            request,
            kept=FLOAT * len(tasks) * weights,
            libraries=("torch",),
        )

    def given(self) -> Given:
        """Tell what it reads."""
        return Given(
            item_text=True,
            query_text=True,
            users=True,
            rec_targets=self.settings.history,
            longest_history=self.settings.max_history,
        )

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Train for all tasks together, then for each alone; keep the best weights of each."""
        self.words = Words.learn(train)
        self.device = context.device
        rows = self.words.rows(train.items.texts, self.settings.item_words)
        self._item_words = rows.astype(np.int32)
        network = self._network(train.log.users, context.seed)
        self.networks = dict.fromkeys(context.tasks, network)
        sequences = {
            task: TaskSequences.of(
                train.log,
                task,
                self.settings.history,
                self.query_words(train.queries) if task == Task.SEARCH else None,
            )
            for task in context.tasks
        }
        limit = self.settings.validation_requests or None
        UnifiedSSRTrainer(
            sequences, self.settings, context, lambda: validation.measure(self, limit)
        ).run(self.networks)

    def _network(self, users: int, seed: int) -> UnifiedSSRNetwork:
        item_words = torch.as_tensor(self._item_words.astype(np.int64))
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = UnifiedSSRNetwork(
                users, len(self._item_words), len(self.words), item_words, self.settings
            )
        return network.to(self.device).eval()

    def query_words(self, queries: Queries) -> NDArray[np.int64]:
        """Return the words of each query, and an empty row for none, ``[queries + 1, words]``."""
        return self.words.of_queries(queries, self.settings.query_words)

    @torch.no_grad()
    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return dot products of the last states, mixed over the branches, with items' vectors."""
        table = self.networks[requests.task].table()
        parts = [np.empty((0, requests.width), dtype=np.float32)]
        for batch, states in self._states(requests, table):
            if batch.candidates is None:
                scores = states @ table[1:].T
            else:
                items = torch.as_tensor(batch.candidates.astype(np.int64), device=self.device)
                scores = torch.einsum("bd,bcd->bc", states, table[items + 1])
            parts.append(scores.float().cpu().numpy())
        return np.concatenate(parts)

    @torch.no_grad()
    def request_vectors(self, requests: Requests) -> NDArray[np.float32]:
        """Return the mixed last states, ``[requests, width]``."""
        table = self.networks[requests.task].table()
        parts = [np.empty((0, table.shape[1]), dtype=np.float32)]
        parts += [states.float().cpu().numpy() for _, states in self._states(requests, table)]
        return np.concatenate(parts)

    @torch.no_grad()
    def ranked_vectors(self, task: Task) -> NDArray[np.float32]:
        """Return the vectors of the items in the network of the task, ``[items, width]``."""
        return self.networks[task].table()[1:].float().cpu().numpy()

    def _states(self, requests: Requests, table: Tensor) -> Iterator[tuple[Requests, Tensor]]:
        """Yield batches of requests and the vectors that their items are multiplied with."""
        network = self.networks[requests.task]
        words = self.query_words(requests.queries) if requests.task == Task.SEARCH else None
        for batch in requests.batches(256):
            sequences = of_requests(
                batch, self.settings.max_history, self.settings.history, words, self.device
            )
            rows = torch.arange(len(batch), device=self.device)
            encoded = network(sequences, table)
            states = [
                share * states[rows, sequences.length - 1] for share, states in encoded.branches
            ]
            yield batch, torch.stack(states).sum(dim=0)

    def parameters(self) -> int:
        """Return the number of weights of all weight sets together."""
        return sum(count_weights(network) for network in self.networks.values())

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return the weight sets, each name behind its task's, and the vocabulary."""
        arrays = {"item_words": self._item_words}
        for task, network in self.networks.items():
            arrays |= arrays_of(network, f"{task}.")
        users = next(iter(self.networks.values())).users.num_embeddings
        tasks = [str(task) for task in self.networks]
        return arrays, {"users": users, "tasks": tasks, "words": self.words.to_json()}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back the weight sets and the vocabulary."""
        self.words = Words.from_json(values["words"])
        self.device = "cpu"
        self._item_words = arrays["item_words"]
        self.networks = {}
        for task in map(Task, values["tasks"]):
            network = self._network(values["users"], 0)
            take_arrays(network, arrays, f"{task}.")
            self.networks[task] = network
