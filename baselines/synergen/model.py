"""The SynerGen-style model behind the harness's Model interface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from baselines.synergen.embedding import Network
from baselines.synergen.inputs import Asked, Context, context_of, request_tokens, visible
from baselines.synergen.network import Read
from baselines.synergen.rotary import Clock
from baselines.synergen.settings import PRESETS, SynerGenSettings
from baselines.synergen.texts import EncodedQueries, WordQueries, encode
from baselines.synergen.training import Trainer
from baselines.words import Words
from benchmark.data.requests import Requests, Task
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.search_space import Choice, Dimension

__all__ = ["SynerGen"]

REQUESTS_AT_ONCE = 64
"""Requests whose histories are read together."""
TOKENS_AT_ONCE = 8192
"""Ranking tokens that one pass of the transformer serves."""


class SynerGen(Model):
    """Retrieves by a token that asks, ranks by tokens that ask about one candidate each."""

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC, Task.SEARCH})
    Settings = SynerGenSettings
    presets = PRESETS
    uses_gpu = True
    # Widths that heads of every preset divide.
    searched: ClassVar[Mapping[str, Dimension | None]] = {"width": Choice((48, 96, 144))}

    settings: SynerGenSettings

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Encode texts, then train retrieval and ranking together."""
        chosen = self.settings
        with context.run_log.phase("text vectors"):
            item_texts = encode(train.items.texts, context)
            queries: EncodedQueries | WordQueries
            if chosen.queries == "minilm":
                queries = EncodedQueries.learn(train.queries, context)
            else:
                queries = WordQueries(Words.learn(train), chosen.query_words, context.device)
        clock = Clock.of(train.log, chosen.clock)
        self._build(item_texts, queries, clock, context.seed, context.device)
        with context.run_log.phase("training"):
            Trainer(self, train, validation, context).run()

    def _build(
        self,
        item_texts: NDArray[np.float32],
        queries: EncodedQueries | WordQueries,
        clock: Clock,
        seed: int,
        device: str,
    ) -> None:
        words = len(queries.words) if isinstance(queries, WordQueries) else 0
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.network = Network(self.settings, torch.as_tensor(item_texts), words)
            texts = queries.vectors if isinstance(queries, EncodedQueries) else None
            self.network.start(None if texts is None else torch.as_tensor(texts))
        self.queries, self.clock, self.device = queries, clock, device
        self.network.to(device).eval()

    def read(self, items: Tensor, context: Context, asked: Asked, features: Tensor) -> Read:
        """Read events and place tokens behind them.

        Args:
            items: the items' vectors.
            context: the events.
            asked: the tokens.
            features: of all queries, from ``queries.of``.
        """
        events, origin = context.events, context.origin
        size = self.settings.width // self.settings.heads

        def tensor(values: NDArray, dtype: torch.dtype) -> Tensor:
            return torch.as_tensor(values, dtype=dtype, device=self.device)

        def words(query: NDArray) -> Tensor:
            rows = tensor(query, torch.int64) % len(features)
            return self.network.queries(features[rows])

        memory = self.network.read(
            items,
            tensor(np.maximum(events.item, 0), torch.int64),
            tensor(events.kind, torch.int64),
            words(events.query),
            self.clock.rotation(events.time, context.place, origin, size, self.device),
            tensor(visible(context, context.place), torch.bool),
        )
        return Read(
            self.network.tokens(tensor(asked.search, torch.bool), words(asked.query)),
            self.clock.rotation(asked.time, asked.place, origin, size, self.device),
            tensor(visible(context, asked.place), torch.bool),
            memory,
        )

    @torch.no_grad()
    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the score chosen by the settings ``ranking`` and ``shortlist``.

        What is on the shortlist follows from the whole catalogue, so that a candidate's score
        does not depend on the candidates beside it.
        """
        parts = [np.empty((0, requests.width), dtype=np.float32)]
        items = self.network.items()
        units = functional.normalize(items, dim=-1)
        for batch in requests.batches(REQUESTS_AT_ONCE):
            context = context_of(batch.history(self.settings.max_history), self.settings.ties)
            asked = request_tokens(batch, context, self.settings.ties)
            read = self.read(items, context, asked, self.queries.of(batch.queries))
            cosines = self.network.wished(read)[:, 0] @ units.T
            candidates = None
            if batch.candidates is not None:
                # A list shorter than the others is filled up with PAD, whose score nobody reads.
                candidates = torch.as_tensor(
                    np.maximum(batch.candidates, 0).astype(np.int64), device=self.device
                )
            parts.append(self._scores(read, items, cosines, candidates).float().cpu().numpy())
        return np.concatenate(parts)

    def _scores(
        self, read: Read, items: Tensor, cosines: Tensor, candidates: Tensor | None
    ) -> Tensor:
        """Return scores of candidates, or of all items, from cosines ``[rows, items]``."""
        chosen = self.settings
        if chosen.ranking == "retrieval":
            return cosines if candidates is None else cosines.gather(1, candidates)
        if chosen.shortlist == 0 or chosen.shortlist >= len(items):
            if candidates is None:
                candidates = torch.arange(len(items), device=self.device).expand(len(cosines), -1)
            return self._ranked(read, items, cosines, candidates)
        best = cosines.topk(chosen.shortlist, dim=1).indices
        ranked = self._ranked(read, items, cosines, best)
        # Within (-1, 1), above the cosines less 3 of what is not on the list.
        scores = (cosines - 3).scatter(1, best, functional.softsign(ranked))
        return scores if candidates is None else scores.gather(1, candidates)

    def _ranked(self, read: Read, items: Tensor, cosines: Tensor, candidates: Tensor) -> Tensor:
        size = max(1, TOKENS_AT_ONCE // len(cosines))
        parts = [
            self.network.rank(read, items, some.unsqueeze(1))[:, 0]
            for some in candidates.split(size, dim=1)
        ]
        ranked = torch.cat(parts, dim=1)
        if self.settings.ranking == "sum":
            ranked = ranked + cosines.gather(1, candidates) / self.settings.temperature
        return ranked

    def parameters(self) -> int:
        """Return the number of trained weights."""
        return sum(weight.numel() for weight in self.network.parameters())

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return weights, item texts' vectors, and what queries are read with."""
        weights = self.network.state_dict()
        arrays = {f"network.{name}": weight.cpu().numpy() for name, weight in weights.items()}
        values: dict[str, Any] = {"clock": astuple(self.clock)}
        if isinstance(self.queries, EncodedQueries):
            arrays["queries"], values["queries"] = self.queries.vectors, self.queries.texts
        else:
            values["words"] = self.queries.words.to_json()
        return arrays, values

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back what :meth:`state` returned."""
        queries: EncodedQueries | WordQueries
        if "queries" in values:
            queries = EncodedQueries(values["queries"], arrays["queries"], "cpu")
        else:
            words = Words.from_json(values["words"])
            queries = WordQueries(words, self.settings.query_words, "cpu")
        self._build(arrays["network.item_texts"], queries, Clock(*values["clock"]), 0, "cpu")
        weights = {
            name.removeprefix("network."): torch.as_tensor(array)
            for name, array in arrays.items()
            if name.startswith("network.")
        }
        self.network.load_state_dict(weights)
