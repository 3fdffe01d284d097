"""A scorer of candidates from two histories behind the harness's interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from baselines.two_histories.histories import read_histories
from baselines.two_histories.inputs import Reader, distinct
from baselines.two_histories.network import CandidateNetwork
from baselines.two_histories.settings import TwoHistoriesSettings
from baselines.two_histories.training import TwoHistoriesTrainer
from baselines.words import Words
from benchmark.data.requests import Requests
from benchmark.given import Given
from benchmark.learning.dropout import use_byte_dropout
from benchmark.learning.training_loop import train_to_best
from benchmark.learning.weights import arrays_of, count_weights, take_arrays
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.search_space import Choice, Dimension

__all__ = ["TwoHistoriesModel"]

S = TypeVar("S", bound=TwoHistoriesSettings)


class TwoHistoriesModel(Model[S]):
    """Reads both histories of a request once, and scores every candidate on its own."""

    uses_gpu = True
    shares_training = True
    # A penalty in the gradient, where other models have AdamW's decay of the weights.
    search_space: ClassVar[Mapping[str, Dimension | None]] = {
        "weight_decay": Choice((0.0, 1e-6, 1e-5, 1e-4))
    }

    name: ClassVar[str]
    """Names the training, its progress bar and its checkpoint."""
    Network: ClassVar[type[CandidateNetwork]]
    Trainer: ClassVar[type[TwoHistoriesTrainer[Any]]]

    def given(self) -> Given:
        """Tell what it reads."""
        return Given(
            item_text=True,
            query_text=True,
            users=True,
            rec_targets="rec",
            longest_history=2 * self.settings.max_history,
        )

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Train until validation stops improving and keep the best weights."""
        settings = self.settings
        words = Words.learn(train)
        item_words = words.rows(train.items.texts, settings.words)
        self._build(train.log.users, item_words, words, context.seed, context.device)
        train_to_best(
            self.name,
            self,
            self.network,
            self.Trainer(self.reader, settings, train, context),
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
            self.network = self.Network(
                users, torch.as_tensor(item_words), len(words), self.settings
            )
        use_byte_dropout(self.network)
        self.network.to(device).eval()
        self.reader = Reader(self.network, words, self.settings.words, device)

    @torch.no_grad()
    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the scores of a network that reads every candidate on its own.

        Vectors of the catalogue are made once for a call, histories once for a request; the
        network sees to the rest (:meth:`CandidateNetwork.score`).
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
