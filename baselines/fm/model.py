"""The joint factor model behind the harness's Model interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.event_batches import rows_of_tasks
from baselines.fm.network import FMNetwork
from baselines.fm.settings import PRESETS, FMSettings
from baselines.fm.training import FMTrainer
from baselines.vector_scores import products
from baselines.words import Words
from benchmark.data.requests import Requests, Task
from benchmark.given import Given
from benchmark.learning.costs import FLOAT, Cost, epoch_of, trained
from benchmark.learning.training_loop import train_to_best
from benchmark.learning.weights import arrays_of, count_weights, take_arrays
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, Work
from benchmark.search_space import Choice, Dimension

__all__ = ["FM"]

MOST_PIECES = 4096
"""Word pieces in the vocabulary at most."""
REQUESTS_AT_ONCE = 256


class FM(Model[FMSettings]):
    """Scores an item by ``(u + q) . i``, a query ``q`` being the mean of its words' vectors.

    A factorization machine over user, item and words (Rendle 2010) has ``u . q`` beside, which is
    the same for all items of a request. Without a query ``q`` is 0, and it is a matrix
    factorization.
    """

    tasks: ClassVar[frozenset[Task]] = frozenset(Task)
    Settings = FMSettings
    presets = PRESETS
    uses_gpu = True
    shares_training = True
    search_space: ClassVar[Mapping[str, Dimension | None]] = {
        "loss": Choice(("softmax", "bpr")),
        "pooling": Choice(("mean", "sum")),
    }

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Tell the vectors, and a softmax over the catalogue or one other item for each event."""
        s = self.settings
        searches = sizes.searches if Task.SEARCH in tasks else 0
        events = searches + (sizes.events - sizes.searches if Task.REC in tasks else 0)
        pieces = min(MOST_PIECES, (sizes.item_bytes + sizes.query_bytes) / 4)
        table = (sizes.users + sizes.items + pieces) * s.width
        against = sizes.items if s.loss == "softmax" else 2
        words = sizes.query_pieces(s.words)
        event = Cost(flop=2 * (against + words) * s.width, floats=(4 + 2 * words) * s.width)
        steps = -(-events // s.batch_size)
        epoch = epoch_of(event, events, s.batch_size, steps, table)
        request = Work(
            flop=2 * (sizes.items + words) * s.width,
            moved=FLOAT * words * s.width,
            calls=1 / REQUESTS_AT_ONCE,
            held=FLOAT * 2 * sizes.at_once * sizes.items,
        )
        return Needs(
            (trained(s, epoch, steps, request, sizes, tasks),),
            request,
            kept=FLOAT * table + 8 * sizes.queries * s.words,
            libraries=("torch",),
        )

    def given(self) -> Given:
        """Tell what it reads; of item texts, the pieces that words are made of."""
        return Given(item_text=True, query_text=True, users=True, longest_history=0)

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Train until validation stops improving and keep the best weights."""
        rows = rows_of_tasks(train.log, context.tasks)
        known = np.bincount(train.log.user[rows], minlength=train.log.users) > 0
        words = Words.learn(train, MOST_PIECES)
        self._build(known, len(train.items), words, context.seed, context.device)
        trainer = FMTrainer(self.network, words, self.settings, train, context)
        train_to_best(
            "fm",
            self,
            self.network,
            trainer,
            self.settings,
            self.settings.learning_rate,
            validation,
            context,
        )

    def _build(
        self, known: NDArray[np.bool_], items: int, words: Words, seed: int, device: str
    ) -> None:
        self._words, self.device = words, device
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.network = FMNetwork(torch.as_tensor(known), items, len(words), self.settings)
        self.network.to(device).eval()

    @torch.no_grad()
    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return products of the requests' vectors with those of the items."""
        parts = [np.empty((0, requests.width), dtype=np.float32)]
        table = self.network.items.weight
        batches = requests.batches(REQUESTS_AT_ONCE)
        parts += [products(self._vectors(batch), table, batch) for batch in batches]
        return np.concatenate(parts)

    @torch.no_grad()
    def request_vectors(self, requests: Requests) -> NDArray[np.float32]:
        """Return ``u + q`` of each request, ``[requests, width]``."""
        parts = [np.empty((0, self.settings.width), dtype=np.float32)]
        parts += [
            self._vectors(batch).cpu().numpy() for batch in requests.batches(REQUESTS_AT_ONCE)
        ]
        return np.concatenate(parts)

    def ranked_vectors(self, task: Task) -> NDArray[np.float32]:
        """Return the items' vectors, ``[items, width]``."""
        return self.item_vectors()

    def _vectors(self, requests: Requests) -> Tensor:
        users = torch.as_tensor(requests.user.astype(np.int64), device=self.device)
        words = self._words.of_queries(requests.queries, self.settings.words)[requests.query]
        return self.network.answering(users, torch.as_tensor(words, device=self.device))

    def item_vectors(self) -> NDArray[np.float32]:
        """Return the items' vectors, ``[items, width]``."""
        return self.network.items.weight.detach().cpu().numpy().copy()

    def parameters(self) -> int:
        """Return the number of weights."""
        return count_weights(self.network)

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return the vectors, who is known, and the vocabulary."""
        return arrays_of(self.network), {"words": self._words.to_json()}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back what :meth:`state` returned."""
        items = len(arrays["items.weight"])
        self._build(arrays["users.known"], items, Words.from_json(values["words"]), 0, "cpu")
        take_arrays(self.network, arrays)
