"""The GRU over events and words behind the harness's Model interface."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.gru_words.network import GRUWordsNetwork
from baselines.gru_words.settings import PRESETS, GRUWordsSettings
from baselines.gru_words.training import GRUWordsTrainer
from baselines.vector_scores import products
from baselines.words import MOST_PIECES, Words
from benchmark.data.requests import Requests, Task
from benchmark.given import Given
from benchmark.learning.costs import FLOAT, Cost, epoch_of, forward, linear, trained
from benchmark.learning.training_loop import train_to_best
from benchmark.learning.weights import arrays_of, count_weights, take_arrays
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, Work

__all__ = ["GRUWords"]


class GRUWords(Model[GRUWordsSettings]):
    """A control for joint models: the plainest network that reads all that they read."""

    tasks: ClassVar[frozenset[Task]] = frozenset(Task)
    Settings = GRUWordsSettings
    presets = PRESETS
    uses_gpu = True
    shares_training = True

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Tell the GRU, the words of queries, and a softmax over the catalogue at every event."""
        s, window = self.settings, sizes.window(self.settings.max_history)
        gates = linear(s.width, 3 * s.width) * 2 + Cost(floats=4 * s.width)
        words = Cost(floats=2 * s.query_words * s.width)
        event = gates + words + linear(s.width, s.width)
        pieces = min(MOST_PIECES, (sizes.item_bytes + sizes.query_bytes) / 4)
        table = (sizes.items + pieces) * s.width
        steps = sizes.stretches(s.max_history) / s.batch_size
        epoch = epoch_of(
            event + Cost(flop=2 * sizes.items * s.width, floats=4 * s.width),
            sizes.events,
            s.batch_size * window,
            steps,
            table,
        )
        read = forward(event, sizes.mean_window(s.max_history))
        request = Work(
            flop=read.flop + 2 * sizes.items * s.width,
            moved=read.moved,
            calls=1 / 256,
            held=FLOAT * (256 * window * event.floats + 2 * sizes.at_once * sizes.items),
        )
        return Needs(
            (trained(s, epoch, steps, request, sizes, tasks),),
            request,
            kept=FLOAT * (event.weights + table),
            libraries=("torch",),
        )

    def given(self) -> Given:
        """Tell what it reads; of item texts, the pieces that words are made of."""
        return Given(item_text=True, query_text=True, longest_history=self.settings.max_history)

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Train on all events, whatever the tasks, until validation stops improving."""
        settings = self.settings
        self._build(len(train.items), Words.learn(train), context.seed, context.device)
        words = self.words.of_queries(train.queries, settings.query_words)
        trainer = GRUWordsTrainer(self.network, settings, train.log, words, context)
        train_to_best(
            "gru-words",
            self,
            self.network,
            trainer,
            settings,
            settings.learning_rate,
            validation,
            context,
        )

    def _build(self, items: int, words: Words, seed: int, device: str) -> None:
        self.words, self.device = words, device
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = GRUWordsNetwork(items, len(words), self.settings)
        self.network = network.to(device).eval()

    @torch.no_grad()
    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return dot products of what each request looks for with the items' vectors."""
        parts = [np.empty((0, requests.width), dtype=np.float32)]
        table = self.network.items.weight
        for batch, wanted in self._wanted(requests):
            parts.append(products(wanted, table, batch))
        return np.concatenate(parts)

    @torch.no_grad()
    def request_vectors(self, requests: Requests) -> NDArray[np.float32]:
        """Return what each request looks for, ``[requests, width]``."""
        parts = [np.empty((0, self.settings.width), dtype=np.float32)]
        parts += [wanted.float().cpu().numpy() for _, wanted in self._wanted(requests)]
        return np.concatenate(parts)

    def ranked_vectors(self, task: Task) -> NDArray[np.float32]:
        """Return the items' vectors, the same for both tasks, ``[items, width]``."""
        return self.item_vectors()

    def _wanted(self, requests: Requests) -> Iterator[tuple[Requests, Tensor]]:
        """Yield batches of requests with what they look for, ``[requests, width]``."""
        words = self.words.of_queries(requests.queries, self.settings.query_words)

        def vectors(rows: NDArray[np.integer]) -> Tensor:
            found: Tensor = self.network.words(torch.as_tensor(words[rows], device=self.device))
            return found

        for batch in requests.batches(256):
            history = batch.history(self.settings.max_history)
            longest = int(history.length.max(initial=0))
            items, kinds = (
                torch.as_tensor(column[:, :longest].astype(np.int64), device=self.device)
                for column in (np.maximum(history.item, 0), history.kind)
            )
            states = self.network.states(items, kinds, vectors(history.query[:, :longest]))
            last = torch.as_tensor(history.length, device=self.device)
            rows = torch.arange(len(batch), device=self.device)
            yield batch, self.network.wanted(states[rows, last], vectors(batch.query))

    def item_vectors(self) -> NDArray[np.float32]:
        """Return the items' vectors, ``[items, width]``."""
        return self.network.items.weight.detach().float().cpu().numpy().copy()

    def parameters(self) -> int:
        """Return the number of weights."""
        return count_weights(self.network)

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return the weights and the vocabulary."""
        values = {"items": self.network.items.num_embeddings, "words": self.words.to_json()}
        return arrays_of(self.network), values

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back the weights."""
        self._build(values["items"], Words.from_json(values["words"]), 0, "cpu")
        take_arrays(self.network, arrays)
