"""GenSAR behind the harness's Model interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from benchmark.data.requests import Task
from benchmark.model import SharedStep, TrainingContext, TrainView, Validation
from gensar.build_identifiers import build_identifiers
from gensar.engine.generator import Generator, Identified
from gensar.engine.identifiers import Identifiers
from gensar.engine.item_vectors import (
    collaborative_step,
    collaborative_vectors,
    semantic_vectors,
    text_step,
    text_vectors,
)
from gensar.engine.query_generation import (
    PseudoQuerySettings,
    WrittenQueries,
    generate_queries,
)
from gensar.engine.regime import TrainingFormat
from gensar.engine.sequences import Sequences
from gensar.engine.spaces import Space, fused_concat
from gensar.engine.vocabulary import Vocabulary
from gensar.regimes.packed import PackedRegime
from gensar.regimes.per_sample import PlainRegime
from gensar.settings import ABLATIONS, PRESETS, GenSARSettings

__all__ = ["GenSAR"]

PROBABILITY_MASS = 0.95
"""Share of the probability that pieces of generated queries are drawn from, as published."""


class GenSAR(Generator):
    """Generates a semantic identifier for a search, a collaborative one for a recommendation."""

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC, Task.SEARCH})
    Settings = GenSARSettings
    presets = PRESETS

    ablations = ABLATIONS

    settings: GenSARSettings

    def __init__(self, settings: GenSARSettings | None = None) -> None:
        super().__init__(settings)
        self._written: WrittenQueries | None = None

    def shared_steps(self, tasks: tuple[Task, ...]) -> Sequence[SharedStep]:
        """Return the vectors that identifiers are made of."""
        settings, steps = self.settings, []
        if settings.identifiers != "collaborative":
            steps.append(text_step(settings.encoder))
        if settings.identifiers != "semantic":
            preset, model = settings.collaborative_preset, settings.collaborative
            steps.append(collaborative_step(tasks, preset, model))
        return steps

    def identify(
        self, train: TrainView, validation: Validation, context: TrainingContext
    ) -> Identified:
        """Learn the vectors of the items, then quantise them together."""
        spaces = self._spaces(train, validation, context)
        with context.run_log.phase("identifiers"):
            vectors = tuple(space.items for space in spaces)
            quantiser = build_identifiers(vectors, self.settings, context)
        self._written = self._write_queries(train, context)
        texts = spaces[0].texts
        if texts is None:
            return Identified(quantiser.identifiers)

        def place(words: Sequence[str]) -> NDArray[np.float32]:
            return quantiser.place(texts(words))

        return Identified(quantiser.identifiers, place)

    def _spaces(
        self, train: TrainView, validation: Validation, context: TrainingContext
    ) -> tuple[Space, ...]:
        """Return where the items lie: semantic and collaborative, one of them, or both in one."""
        run_log, settings = context.run_log, self.settings

        def encode(texts: Sequence[str]) -> NDArray[np.float32]:
            return semantic_vectors(tuple(texts), settings.encoder, context)

        spaces = []
        if settings.identifiers != "collaborative":
            with run_log.phase("semantic vectors"):
                vectors = text_vectors(train, context, settings.encoder)
            spaces.append(Space(vectors, encode))
        if settings.identifiers != "semantic":
            preset, model = settings.collaborative_preset, settings.collaborative
            with run_log.phase("collaborative vectors"):
                learned = collaborative_vectors(train, validation, context, preset, model)
            spaces.append(Space(learned))
        return (fused_concat(*spaces),) if settings.identifiers == "fused" else tuple(spaces)

    def _write_queries(self, train: TrainView, context: TrainingContext) -> WrittenQueries | None:
        """Write the queries of pseudo-query search, unless they are words of the texts."""
        settings = self.settings
        learned = Task.SEARCH in context.tasks and "pseudo-query-search" not in settings.without
        if settings.pseudo_queries == "words" or not learned:
            return None
        return generate_queries(
            train,
            PseudoQuerySettings(
                generator=settings.pseudo_queries,
                queries_per_item=settings.queries_per_item,
                probability_mass=PROBABILITY_MASS,
                generated_tokens=settings.query_tokens,
                generator_text_tokens=settings.item_text_tokens,
            ),
            context,
        )

    def make_vocabulary(self, tokenizer: Tokenizer, identifiers: Identifiers) -> Vocabulary:
        """Return the vocabulary, with behaviour tokens or without."""
        whole = super().make_vocabulary(tokenizer, identifiers)
        return replace(whole, behaviour_tokens=self.settings.behaviour_tokens)

    def make_regime(self, sequences: Sequences) -> TrainingFormat:
        """Return the regime of the settings."""
        regime = PackedRegime if self.settings.regime == "packed" else PlainRegime
        return regime(self.settings, sequences, self._written)
