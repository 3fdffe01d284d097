"""UniSAR (Shi et al. 2024) behind the harness's interface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise, starmap
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from baselines.unisar.extraction import EXPERT_WIDTH, HEAD, TOWER
from baselines.unisar.histories import read_histories
from baselines.unisar.inputs import Reader, distinct
from baselines.unisar.network import PAIRS_AT_ONCE, UniSARNetwork
from baselines.unisar.settings import PRESETS, UniSARSettings
from baselines.unisar.training import UniSARTrainer
from baselines.words import MOST_PIECES, Words
from benchmark.data.requests import Requests, Task
from benchmark.learning.costs import (
    BACKWARD,
    FLOAT,
    Cost,
    epoch_of,
    forward,
    linear,
    trained,
    transformer,
)
from benchmark.learning.dropout import use_byte_dropout
from benchmark.learning.training_loop import train_to_best
from benchmark.learning.weights import arrays_of, count_weights, take_arrays
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, Work, in_turn
from benchmark.search_space import Choice, Dimension

__all__ = ["UniSAR"]


class UniSAR(Model[UniSARSettings]):
    """Scores candidates of both tasks from both histories and the transitions between them."""

    tasks: ClassVar[frozenset[Task]] = frozenset(Task)
    Settings = UniSARSettings
    presets = PRESETS
    uses_gpu = True
    shares_training = True
    # A penalty in the gradient, where other models have AdamW's decay of the weights.
    search_space: ClassVar[Mapping[str, Dimension | None]] = {
        "weight_decay": Choice((0.0, 1e-6, 1e-5, 1e-4))
    }

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Tell both histories' layers, the experts of every candidate, and the words of the items.

        One reading of a history predicts ``ahead`` events, against the same negatives.
        """
        s = self.settings
        window = sizes.window(s.max_history)
        layer = transformer(1, s.width, s.inner, s.heads, window)
        # Of each place of a history: its own kind's layers, those across, and a decoder layer.
        reading = layer * (2 * s.layers + 2) + linear(s.width, s.width)
        words = Cost(flop=2 * s.words * s.id_width, floats=2 * s.words * s.id_width)
        experts = linear(5 * s.width, 2 * s.experts * EXPERT_WIDTH)
        widths = (EXPERT_WIDTH, *TOWER, *HEAD, 1)
        tower = sum(starmap(linear, pairwise(widths)), Cost(floats=4 * window))
        pair = experts + tower
        pieces = min(MOST_PIECES, (sizes.item_bytes + sizes.query_bytes) / 4)
        table = (sizes.users + sizes.items + pieces) * s.id_width
        count = max(sizes.events - sizes.searches, sizes.searches)
        steps = -(-count // s.batch_size)
        readings = s.batch_size / s.ahead
        candidates = readings * (s.ahead + s.negatives) * s.ahead
        looked_up = min(
            sizes.items, 2 * (readings * (2 * window + s.negatives + s.ahead) + s.align_negatives)
        )
        held = len(tasks) * (
            readings * 2 * window * reading.floats
            + candidates * pair.floats
            + looked_up * (words.floats + 4 * s.width)
        )
        looks = words + linear(s.width + s.id_width, s.width)
        passed = in_turn(
            forward(reading, readings * 2 * window),
            forward(pair, candidates),
            forward(looks, looked_up),
        ) * (BACKWARD * len(tasks) * steps)
        epoch = epoch_of(Cost(), 0, 0, steps, table + reading.weights + 3 * pair.weights)
        epoch = replace(in_turn(epoch, passed), held=FLOAT * held)
        read = in_turn(forward(reading, 2 * window), forward(pair, sizes.items))
        request = Work(
            flop=read.flop,
            moved=read.moved,
            calls=sizes.items / PAIRS_AT_ONCE + 1 / 64,
            held=FLOAT
            * (
                sizes.items * (words.floats + 4 * s.width)
                + 3 * sizes.at_once * sizes.items
                + 64 * 2 * window * reading.floats / 4
                + PAIRS_AT_ONCE * pair.floats
            ),
        )
        return Needs(
            (trained(s, epoch, steps, request, sizes, tasks),),
            request,
            kept=FLOAT * (table + reading.weights) + 8 * sizes.items * s.words,
            libraries=("torch",),
        )

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Train until validation stops improving and keep the best weights."""
        settings = self.settings
        words = Words.learn(train)
        item_words = words.rows(train.items.texts, settings.words)
        self._build(train.log.users, item_words, words, context.seed, context.device)
        trainer = UniSARTrainer(self.reader, settings, train, context)
        train_to_best(
            "unisar",
            self,
            self.network,
            trainer,
            settings,
            settings.learning_rate,
            validation,
            context,
        )

    def _build(
        self, users: int, item_words: NDArray[np.int64], words: Words, seed: int, device: str
    ) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.network = UniSARNetwork(
                users, torch.as_tensor(item_words), len(words), self.settings
            )
        use_byte_dropout(self.network)
        self.network.to(device).eval()
        self.reader = Reader(self.network, words, self.settings.words, device)

    @torch.no_grad()
    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the scores of a network that reads every candidate on its own.

        Vectors of the catalogue are made once for a call, histories once for a request; the
        network sees to the rest (:meth:`UniSARNetwork.score`).
        """
        items = self.reader.items(np.arange(requests.items))
        parts = [np.empty((0, requests.width), dtype=np.float32)]
        for batch in requests.batches(64):
            histories = read_histories(batch, self.settings.max_history)
            wanted = batch.query[:, None]
            rows = distinct(histories.search.query, wanted)
            queries = self.reader.queries(batch.queries, rows)
            asked = self.reader.ask(batch, wanted, histories, items, queries)
            chosen = None
            if batch.candidates is not None:
                chosen = items.places(batch.candidates)
            scores = self.network.score(batch.task, asked, items.vectors, chosen)[:, 0]
            parts.append(scores.float().cpu().numpy())
        return np.concatenate(parts)

    @torch.no_grad()
    def item_vectors(self) -> NDArray[np.float32]:
        """Return the vectors of all items as the network reads them, ``[items, width]``."""
        rows = torch.arange(len(self.network.item_words), device=self.reader.device)
        return self.network.items(rows).float().cpu().numpy()

    def parameters(self) -> int:
        """Return the number of weights."""
        return count_weights(self.network)

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return the weights, the word pieces of the items, and the vocabulary."""
        values = {
            "users": self.network.user_id.num_embeddings,
            "words": self.reader.words.to_json(),
        }
        return arrays_of(self.network), values

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back the weights."""
        words = Words.from_json(values["words"])
        self._build(values["users"], arrays["item_words"], words, 0, "cpu")
        take_arrays(self.network, arrays)
