"""JSR behind the harness's Model interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.event_batches import rows_of_tasks
from baselines.jsr.network import ITEMS_AT_ONCE, JSRNetwork
from baselines.jsr.settings import PRESETS, JSRSettings
from baselines.jsr.training import JSRTrainer
from baselines.jsr.vocabulary import Vocabulary, pretrained_words
from baselines.words import Words
from benchmark.data.requests import Requests, Task
from benchmark.given import Given
from benchmark.learning.costs import FLOAT, Cost, epoch_of, linear, trained
from benchmark.learning.training_loop import train_to_best
from benchmark.learning.weights import arrays_of, count_weights, take_arrays
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, Work
from benchmark.search_space import Choice, Dimension, Range

__all__ = ["JSR"]

PAIRS_AT_ONCE = 2**18
"""Pairs of a request and an item that a scorer with layers takes at a time."""
WORD_WIDTH = 384
MOST_PIECES = 30522


class JSR(Model[JSRSettings]):
    """Recommends by users' and items' vectors; searches by the query's likelihood given an item.

    An item's language model is a softmax over the vocabulary of its vector, taken into the space of
    word vectors that stay as they are. Search reads no user.
    """

    tasks: ClassVar[frozenset[Task]] = frozenset(Task)
    Settings = JSRSettings
    presets = PRESETS
    uses_gpu = True
    shares_training = True
    search_space: ClassVar[Mapping[str, Dimension | None]] = {
        "layers": Choice((0, 1, 2, 3)),
        "negatives": Choice((1, 4, 16)),
        "language_weight": Range(1e-3, 1.0, log=True),
    }

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Tell the vectors, the scorer, and a softmax over the words for searches and texts."""
        s = self.settings
        searches = sizes.searches if Task.SEARCH in tasks else 0
        events = searches + (sizes.events - sizes.searches if Task.REC in tasks else 0)
        texts = sizes.items if Task.SEARCH in tasks and s.described_by != "queries" else 0
        shown = sizes.query_bytes + (sizes.item_bytes if s.described_by != "queries" else 0)
        vocabulary = min(MOST_PIECES, shown / 8 + 1)
        scorer = linear(s.width, s.width) * s.layers + Cost(flop=2 * s.width, floats=3 * s.width)
        language = Cost(flop=2 * vocabulary * s.width, floats=2 * vocabulary)
        described = (searches + texts) / max(events + texts, 1)
        unit = scorer * (1 + s.negatives) + language * described
        table = (sizes.users + sizes.items + WORD_WIDTH) * s.width
        steps = -(-(events + texts) // s.batch_size)
        # The vocabulary goes through the words' own layer in every step.
        unit += Cost(flop=2 * vocabulary * WORD_WIDTH * s.width / s.batch_size)
        epoch = epoch_of(unit, events + texts, s.batch_size, steps, table + scorer.weights)
        request = Work(
            flop=2 * sizes.items * (s.width + s.layers * s.width**2),
            moved=FLOAT * sizes.items * s.width * (1 + s.layers),
            calls=1 / 64,
            held=FLOAT
            * (
                2 * sizes.at_once * sizes.items
                + max(PAIRS_AT_ONCE, sizes.items) * s.width * 2
                + 2 * ITEMS_AT_ONCE * vocabulary
            ),
        )
        return Needs(
            (trained(s, epoch, steps, request, sizes, tasks),),
            request,
            kept=FLOAT * (table + vocabulary * WORD_WIDTH) + 8 * sizes.queries * s.words,
            libraries=("torch", "sentence-transformers"),
        )

    def given(self) -> Given:
        """Tell what it reads."""
        return Given(item_text=True, query_text=True, users=True, longest_history=0)

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Train until validation stops improving and keep the best weights."""
        rows = rows_of_tasks(train.log, context.tasks)
        known = np.bincount(train.log.user[rows], minlength=train.log.users) > 0
        tokenizer, vectors = pretrained_words()
        queries = train.queries.texts if self.settings.described_by != "texts" else ()
        texts = train.items.texts if self.settings.described_by != "queries" else ()
        vocabulary = Vocabulary.shown(tokenizer, [*queries, *texts], self.settings.words)
        self._build(
            known,
            len(train.items),
            vocabulary,
            vectors[vocabulary.pieces],
            context.seed,
            context.device,
        )
        trainer = JSRTrainer(self.network, vocabulary, self.settings, train, context)
        train_to_best(
            "jsr",
            self,
            self.network,
            trainer,
            self.settings,
            self.settings.learning_rate,
            validation,
            context,
        )

    def _build(
        self,
        known: NDArray[np.bool_],
        items: int,
        vocabulary: Vocabulary,
        word_vectors: NDArray[np.float32],
        seed: int,
        device: str,
    ) -> None:
        self._vocabulary, self.device = vocabulary, device
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.network = JSRNetwork(
                torch.as_tensor(known), items, torch.as_tensor(word_vectors), self.settings
            )
        self.network.to(device).eval()

    @torch.no_grad()
    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return matches with the user for recommendation, mean log-likelihoods for search.

        A search none of whose words training showed ties all items.
        """
        recommends = requests.task is Task.REC
        width = requests.width if self.settings.layers and recommends else 2**12
        parts = [np.empty((0, requests.width), dtype=np.float32)]
        for batch in requests.batches(max(1, PAIRS_AT_ONCE // max(width, 1))):
            scores = self._matches(batch) if recommends else self._likelihoods(batch)
            parts.append(scores.float().cpu().numpy())
        return np.concatenate(parts)

    def _matches(self, requests: Requests) -> Tensor:
        users = self.network.users.of_any(self._tensor(requests.user))
        table = self.network.items.weight
        if requests.candidates is not None:
            return self.network.match(users[:, None], table[self._tensor(requests.candidates)])
        if self.network.scorer is None:
            return users @ table.T
        return self.network.match(users[:, None], table)

    def _likelihoods(self, requests: Requests) -> Tensor:
        words = self._vocabulary.of_queries(requests.queries, self.settings.words)
        scores = self.network.likelihoods(self._tensor(words[requests.query]))
        if requests.candidates is None:
            return scores
        return scores.gather(1, self._tensor(requests.candidates))

    def _tensor(self, numbers: NDArray[np.integer]) -> Tensor:
        return torch.as_tensor(numbers.astype(np.int64), device=self.device)

    def item_vectors(self) -> NDArray[np.float32]:
        """Return the items' vectors, ``[items, width]``."""
        return self.network.items.weight.detach().cpu().numpy().copy()

    def parameters(self) -> int:
        """Return the number of weights that are learned."""
        return count_weights(self.network)

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return the weights, the frozen vectors and the vocabulary."""
        arrays = {**arrays_of(self.network, "network."), "pieces": self._vocabulary.pieces}
        return arrays, {"tokenizer": self._vocabulary.to_json()}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back what :meth:`state` returned."""
        words = Words.from_json(values["tokenizer"])
        self._build(
            arrays["network.users.known"],
            len(arrays["network.items.weight"]),
            Vocabulary(words, arrays["pieces"]),
            arrays["network.word_vectors"],
            0,
            "cpu",
        )
        take_arrays(self.network, arrays, "network.")
