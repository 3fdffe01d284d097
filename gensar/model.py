"""GenSAR behind the harness's Model interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from benchmark.data.requests import Task
from benchmark.given import Given
from benchmark.learning.encoder_sizes import weights_of
from benchmark.model import SharedStep, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes
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
from gensar.engine.needs import (
    Targets,
    backbone_needs,
    collaborative_work,
    quantiser_work,
    text_vectors_work,
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
from gensar.settings import (
    ABLATIONS,
    OWN_VECTORS_ABLATIONS,
    OWN_VECTORS_PRESETS,
    PRESETS,
    GenSARSettings,
    OwnVectorsSettings,
)

__all__ = ["GenSAR", "OwnVectorsGenSAR"]

TEXT_WIDTH, COLLABORATIVE_WIDTH = 384, 64
"""Of the vectors that are quantised, about: those of the bundled encoder and of ``standard``."""
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

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Tell both vectors, their quantisation, and the backbone over packed or plain samples.

        Queries that a hub's model writes are not told of: its sizes are not known.
        """
        s = self.settings
        phases, widths = [], []
        if s.pseudo_queries not in ("words", "own"):
            return None
        if s.identifiers != "collaborative":
            phases.append((text_vectors_work(s.encoder, sizes), "semantic vectors"))
            widths.append(TEXT_WIDTH)
        if s.identifiers != "semantic":
            learned = collaborative_work(s.collaborative, s.collaborative_preset, sizes, tasks)
            phases.append((learned, "collaborative vectors"))
            widths.append(COLLABORATIVE_WIDTH)
        if any(work is None for work, _ in phases):
            return None
        levels = s.shared_levels + s.specific_levels + 1
        books = s.codebook_size * (levels - 1)
        quantised = quantiser_work(
            widths,
            s.rqvae_hidden,
            s.latent,
            sizes.items,
            s.rqvae_epochs,
            s.rqvae_steps,
            s.rqvae_batch_size,
            books * len(widths),
        )
        done = [work.named(name) for work, name in phases if work is not None]
        return backbone_needs(
            s,
            sizes,
            tasks,
            self._targets(sizes, tasks),
            levels,
            2 * books,
            [*done, quantised.named("identifiers")],
        )

    def _targets(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Targets:
        """Return what an epoch of the regime reads and writes."""
        s, pieces = self.settings, sizes.query_pieces(self.settings.query_tokens)
        width = 1 if s.item_tokens != "codes" else s.shared_levels + s.specific_levels + 1
        text = sizes.item_pieces(s.item_text_tokens)
        searched = sizes.searches / max(sizes.events, 1)
        event = width + searched * (pieces + 1)
        if s.regime == "packed":
            window = sizes.window(s.max_history)
            steps = sizes.stretches(s.max_history) / s.batch_size
            learned = (
                sizes.events
                if len(tasks) > 1
                else sizes.requests("test", tasks)
                and (sizes.searches if Task.SEARCH in tasks else sizes.events - sizes.searches)
            )
            some = min(s.item_samples, s.item_share * learned / steps)
            side = some * 2
            return Targets(
                positions=sizes.events * event + steps * side * text,
                targets=learned + steps * side,
                steps=steps,
                read=sizes.mean_window(s.max_history) * event,
                batch_positions=s.batch_size * window * event,
                batch_targets=s.batch_size * window,
                texts=some / 8 * text + s.batch_size / 4 * pieces,
                request=window * event,
            )
        history = (s.recent_rec + s.recent_search) * (event + 1) + 32
        samples = sizes.events - sizes.searches + (s.search_samples or sizes.searches)
        samples += s.query_samples + s.pseudo_samples + 2 * s.text_samples
        return Targets(
            positions=samples * history,
            targets=samples,
            steps=samples / s.batch_size,
            read=history,
            batch_positions=s.batch_size * history,
            batch_targets=s.batch_size,
            texts=s.batch_size / 4 * text,
            request=history,
        )

    def given(self) -> Given:
        """Tell what it reads."""
        s, packed = self.settings, self.settings.regime == "packed"
        drawn = s.item_samples * s.item_share if packed else s.pseudo_samples
        asked = drawn and "pseudo-query-search" not in s.without
        return Given(
            item_text=True,
            query_text=True,
            encoder=s.encoder,
            encoder_parameters=weights_of(s.encoder),
            pseudo_queries=s.pseudo_queries if asked else "",
            rec_targets=s.rec_targets if packed else "rec",
            longest_history=s.max_history if packed else s.recent_rec + s.recent_search,
        )

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


class OwnVectorsGenSAR(GenSAR):
    """GenSAR that knows items beside their codes, which the paper's does not.

    Every prefix of an identifier, a whole one too, has an output vector that is added to that of
    its last code. Codes alone are shared by items that have little in common but the code, so which
    of a prefix's few items it will be is hard to tell for a small decoder
    (``docs/experiments/gensar-ml-100k.md``).
    """

    Settings = OwnVectorsSettings
    presets = OWN_VECTORS_PRESETS
    ablations = OWN_VECTORS_ABLATIONS
