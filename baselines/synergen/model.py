"""The SynerGen-style model behind the harness's Model interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from baselines.synergen.embedding import SynerGenNetwork
from baselines.synergen.inputs import context_of, request_tokens
from baselines.synergen.network import Read
from baselines.synergen.reader import ContextReader
from baselines.synergen.rotary import Clock
from baselines.synergen.settings import PRESETS, SynerGenSettings
from baselines.synergen.texts import WIDTH as TEXT_WIDTH
from baselines.synergen.texts import EncodedQueries, WordQueries, learned_texts, texts_step
from baselines.synergen.training import SynerGenTrainer
from baselines.words import Words
from benchmark.data.requests import Requests, Task
from benchmark.given import Given
from benchmark.learning.costs import (
    FLOAT,
    encoder_of,
    encoding,
    epoch_of,
    forward,
    linear,
    trained,
    transformer,
)
from benchmark.learning.encoder_sizes import weights_of
from benchmark.learning.training_loop import train_to_best
from benchmark.learning.weights import arrays_of, count_weights, take_arrays
from benchmark.model import Model, SharedStep, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, Work, in_turn
from benchmark.search_space import Choice, Dimension
from benchmark.settings import BUNDLED

__all__ = ["SynerGen"]

REQUESTS_AT_ONCE = 64
"""Requests whose histories are read together."""
TOKENS_AT_ONCE = 8192
"""Ranking tokens that one pass of the transformer serves."""


class SynerGen(Model[SynerGenSettings]):
    """Retrieves by a token that asks, ranks by tokens that ask about one candidate each."""

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC, Task.SEARCH})
    Settings = SynerGenSettings
    presets = PRESETS
    uses_gpu = True
    shares_training = True
    # Widths that heads of every preset divide.
    search_space: ClassVar[Mapping[str, Dimension | None]] = {"width": Choice((48, 96, 144))}

    def shared_steps(self, tasks: tuple[Task, ...]) -> Sequence[SharedStep]:
        """Return the vectors of the texts."""
        return [texts_step(self.settings.queries == "minilm")]

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Tell the text vectors, and a retrieval token at every event with ranking tokens at some.

        In training each ranked target has its own reading of the history, and the catalogue's
        vectors are made anew in every step.
        """
        s, window = self.settings, sizes.window(self.settings.max_history)
        longest = 256
        item, query = sizes.item_pieces(longest), sizes.query_pieces(longest)
        encoder = encoder_of("minilm", max(item, query))
        assert encoder is not None
        texts = [encoding(encoder, sizes.items, item)]
        if s.queries == "minilm":
            texts.append(encoding(encoder, sizes.queries, query))
        layer = transformer(s.layers, s.width, 1.5 * s.inner, s.heads, window)
        # An event, the token that asks for it, and the candidates of those that are ranked.
        tokens = 2 + s.ranked * (1 + s.negatives)
        weights = layer.weights + (TEXT_WIDTH + 6 * s.width) * s.width
        network = replace(layer * tokens, weights=weights)
        steps = sizes.stretches(s.max_history) / s.batch_size
        batch = s.batch_size * window
        epoch = epoch_of(network, sizes.events, batch, steps, sizes.items * s.width)
        catalogue = linear(TEXT_WIDTH + s.width, s.width) * sizes.items
        made = Work(flop=3 * catalogue.flop, moved=3 * FLOAT * catalogue.floats)
        epoch = in_turn(epoch, made * steps)
        logits = batch * (s.ranked * sizes.items * 5 + batch * 4)
        epoch = replace(epoch, held=epoch.held + FLOAT * (logits + 6 * s.width * sizes.items))
        ranked = s.shortlist or sizes.items
        read = forward(layer, sizes.mean_window(s.max_history) + ranked)
        request = Work(
            flop=read.flop + 2 * sizes.items * s.width,
            moved=read.moved,
            calls=(1 + ranked * REQUESTS_AT_ONCE / TOKENS_AT_ONCE) / REQUESTS_AT_ONCE,
            held=FLOAT
            * (
                TOKENS_AT_ONCE * layer.floats / max(s.layers, 1)
                + 2 * sizes.at_once * sizes.items
                + 2 * s.width * sizes.items
            ),
            encoder=encoder.weights,
        )
        table = TEXT_WIDTH * (sizes.items + sizes.queries) + s.width * sizes.items
        return Needs(
            (
                in_turn(*texts).named("text vectors"),
                trained(s, epoch, steps, request, sizes, tasks).named("training"),
            ),
            request,
            kept=FLOAT * (table + layer.weights),
            libraries=("torch", "sentence-transformers"),
        )

    def given(self) -> Given:
        """Tell what it reads."""
        return Given(
            item_text=True,
            query_text=True,
            times="gaps",
            encoder=BUNDLED,
            encoder_parameters=weights_of(BUNDLED),
            longest_history=self.settings.max_history,
        )

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Encode texts, then train retrieval and ranking together."""
        settings = self.settings
        with context.run_log.phase("text vectors"):
            item_texts, encoded = learned_texts(train, context, settings.queries == "minilm")
            queries: EncodedQueries | WordQueries
            if encoded is not None:
                queries = encoded
            else:
                queries = WordQueries(Words.learn(train), settings.query_words, context.device)
        clock = Clock.of(train.log, settings.clock)
        self._build(item_texts, queries, clock, context.seed, context.device)
        trainer = SynerGenTrainer(self.reader, settings, train, context)
        with context.run_log.phase("training"):
            train_to_best(
                "synergen",
                self,
                self.network,
                trainer,
                settings,
                settings.learning_rate,
                validation,
                context,
            )

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
            self.network = SynerGenNetwork(self.settings, torch.as_tensor(item_texts), words)
            texts = queries.vectors if isinstance(queries, EncodedQueries) else None
            self.network.start(None if texts is None else torch.as_tensor(texts))
        self.network.to(device).eval()
        self.reader = ContextReader(self.network, queries, clock, device)

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
            context = context_of(batch.history(self.settings.max_history))
            tokens = request_tokens(batch, context)
            read = self.reader.read(items, context, tokens, self.reader.queries.of(batch.queries))
            cosines = self.network.wished(read)[:, 0] @ units.T
            candidates = None
            if batch.candidates is not None:
                candidates = torch.as_tensor(
                    batch.candidates.astype(np.int64), device=self.reader.device
                )
            parts.append(self._scores(read, items, cosines, candidates).float().cpu().numpy())
        return np.concatenate(parts)

    def _scores(
        self, read: Read, items: Tensor, cosines: Tensor, candidates: Tensor | None
    ) -> Tensor:
        """Return scores of candidates, or of all items, from cosines ``[rows, items]``."""
        settings = self.settings
        if settings.ranking == "retrieval":
            return cosines if candidates is None else cosines.gather(1, candidates)
        if settings.shortlist == 0 or settings.shortlist >= len(items):
            if candidates is None:
                everything = torch.arange(len(items), device=self.reader.device)
                candidates = everything.expand(len(cosines), -1)
            return self._ranked(read, items, cosines, candidates)
        best = cosines.topk(settings.shortlist, dim=1).indices
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
        return count_weights(self.network)

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return weights, item texts' vectors, and what queries are read with."""
        queries = self.reader.queries
        arrays = arrays_of(self.network, "network.")
        values: dict[str, Any] = {"clock": astuple(self.reader.clock)}
        if isinstance(queries, EncodedQueries):
            arrays["queries"], values["queries"] = queries.vectors, queries.texts
        else:
            values["words"] = queries.words.to_json()
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
        take_arrays(self.network, arrays, "network.")
