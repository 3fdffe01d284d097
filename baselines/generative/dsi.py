"""DSI (Tay et al. 2022): search as writing the identifier of an item.

The items are indexed by queries that a second model writes for them (DSI-QG, Zhuang et al. 2022).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, log
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from baselines.generative.costs import apart_targets
from baselines.generative.docids import clustered_codes, digit_codes, identifiers_of
from baselines.generative.indexing import IndexingRegime, ItemSide, PersonalRegime
from benchmark.budget import budgeted
from benchmark.data.requests import Task
from benchmark.given import Given
from benchmark.learning.costs import Cost, epoch_of, forward, transformer
from benchmark.learning.encoder_sizes import weights_of
from benchmark.model import SharedStep, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, Work, in_turn
from benchmark.settings import setting
from gensar.engine.generator import Generator, Identified
from gensar.engine.item_vectors import semantic_vectors, text_step, text_vectors
from gensar.engine.needs import backbone_needs, text_vectors_work
from gensar.engine.query_generation import (
    COPIES,
    ITEMS_AT_ONCE,
    PseudoQuerySettings,
    generate_queries,
)
from gensar.engine.regime import TrainingFormat
from gensar.engine.sequences import Sequences
from gensar.engine.settings import GeneratorSettings

__all__ = ["DSI", "DSISettings"]

NOTHING_MORE = ItemSide((), np.empty(0, dtype=np.int64), 1)


@dataclass(frozen=True)
class DSISettings(PseudoQuerySettings, GeneratorSettings):
    """Settings of :class:`DSI`; the defaults are those of ``standard``."""

    docid: Literal["hierarchical", "naive"] = setting(
        "hierarchical", "clusters inside clusters of the text vectors, or the row number's digits"
    )
    encoder: str = setting(
        "minilm", "text encoder of what is clustered: the bundled MiniLM or a hub name"
    )
    branches: int = setting(10, "most clusters that a cluster is split into (hierarchical)", low=2)
    leaf_items: int = setting(10, "most items of a cluster that is not split (hierarchical)", low=1)
    indexing: Literal["queries", "text", "both"] = setting(
        "queries", "an item is learned from generated queries, from its own text, or from both"
    )
    real_queries: bool = setting(True, "learn from training searches too; false is DSI-QG's form")
    personalised: bool = setting(False, "read the user's history before the query")
    item_text_tokens: int = setting(
        64, "tokens of an item's text that are read (text, both)", low=1
    )
    sequences: int = setting(16, "users' sequences in a step (personalised)", low=1)
    codebook_start: bool = setting(
        True, "start the embeddings of first codes and text pieces from the text encoder"
    )
    query_tokens: int = setting(32, "longest query, in tokens", low=1)
    batch_size: int = setting(128, "pairs of query and item in a step", low=1)
    learning_rate: float = setting(4e-3, "peak learning rate", low=1e-9)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.personalised and not self.real_queries:
            raise ValueError("personalised=true learns from histories: it needs real_queries=true")
        if self.branches < 2 or self.leaf_items < 1:
            raise ValueError("branches has to be at least 2, leaf_items at least 1")


class DSI(Generator):
    """Writes the identifier of the item that a query leads to; search only."""

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.SEARCH})
    Settings = DSISettings
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = budgeted(
        {
            "quick": {
                "generator": "words",
                "width": 48,
                "layers": 1,
                "validation_requests": 100,
            },
            "paper": {
                "docid": "naive",
                "generator": "castorini/doc2query-t5-large-msmarco",
                "generator_text_tokens": 512,
                "real_queries": False,
                "backbone": "google-t5/t5-base",
                "codebook_start": False,
                "item_tokens": "codes",
                "softmax": "vocabulary",
                "batch_size": 32,
                "accumulate": 8,
                "learning_rate": 5e-4,
                "warm_up": 1000,
                "epochs": 100,
                "validation_requests": 0,
                "num_beams": 20,
                "candidate_decoding": "beam",
            },
        }
    )

    settings: DSISettings

    def __init__(self, settings: DSISettings | None = None) -> None:
        super().__init__(settings)
        self._item_side = NOTHING_MORE

    def shared_steps(self, tasks: tuple[Task, ...]) -> Sequence[SharedStep]:
        """Return the vectors of the items, where anything is made of them."""
        settings = self.settings
        if settings.docid == "hierarchical" or settings.codebook_start:
            return [text_step(settings.encoder)]
        return []

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Tell the text vectors, the generator of queries where it is our own, and the backbone."""
        s = self.settings
        vectors = text_vectors_work(s.encoder, sizes)
        if vectors is None or s.generator not in ("words", "own"):
            return None
        levels = 1 + ceil(log(max(sizes.items / s.leaf_items, 1), s.branches))
        written = sizes.items * (s.queries_per_item if s.indexing != "text" else 1)
        phases = [vectors.named("identifiers")]
        if s.generator == "own" and s.indexing != "text":
            phases.append(self._writing(sizes).named("pseudo-queries"))
        return backbone_needs(
            replace(s, batch_size=s.sequences) if s.personalised else s,
            sizes,
            tasks,
            apart_targets(s, sizes, (Task.SEARCH,), s.batch_size, written),
            levels + 1,
            s.branches * levels + s.leaf_items,
            phases,
        )

    def _writing(self, sizes: Sizes) -> Work:
        """Return the work of training the own generator of queries and of sampling from it."""
        s, width = self.settings, self.settings.generator_width
        read = sizes.item_pieces(s.generator_text_tokens)
        wrote = sizes.query_pieces(s.generated_tokens)
        layer = transformer(2 * s.generator_layers, width, 4 * width, 4, read)
        table = min(GeneratorSettings.text_tokens, (sizes.item_bytes + sizes.query_bytes) / 4)
        spelled = Cost(flop=2 * table * width, floats=3 * table)
        copied, real = COPIES * sizes.items, sizes.searches
        pairs = s.generator_copies * copied + s.generator_epochs * real
        batch = s.generator_batch_size
        trained = epoch_of(
            layer + spelled, pairs * (read + wrote), batch * wrote, pairs / batch, table * width
        )
        drawn = sizes.items * s.queries_per_item * wrote
        passes = sizes.items / ITEMS_AT_ONCE * s.generated_tokens
        return in_turn(trained, replace(forward(layer + spelled, drawn), calls=passes))

    def given(self) -> Given:
        """Tell what it reads."""
        s = self.settings
        encoder = s.encoder if self.shared_steps((Task.SEARCH,)) else ""
        return Given(
            item_text=True,
            query_text=True,
            encoder=encoder,
            encoder_parameters=weights_of(encoder),
            pseudo_queries="" if s.indexing == "text" else s.generator,
            rec_targets="",
            longest_history=s.max_history if s.personalised else 0,
        )

    def identify(
        self, train: TrainView, validation: Validation, context: TrainingContext
    ) -> Identified:
        """Number the items, and write what they are learned from."""
        settings = self.settings
        vectors = None
        with context.run_log.phase("identifiers"):
            if settings.docid == "hierarchical" or settings.codebook_start:
                vectors = text_vectors(train, context, settings.encoder)
            if settings.docid == "hierarchical" and vectors is not None:
                codes = clustered_codes(
                    vectors, settings.branches, settings.leaf_items, context.seed
                )
            else:
                codes = digit_codes(len(train.items))
        self._item_side = self._written(train, context)

        def place(texts: Sequence[str]) -> NDArray[np.float32]:
            return semantic_vectors(tuple(texts), settings.encoder, context)

        return Identified(identifiers_of(codes, vectors), place)

    def _written(self, train: TrainView, context: TrainingContext) -> ItemSide:
        settings = self.settings
        texts: list[str] = []
        parts: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
        if settings.indexing != "text":
            queries, items = generate_queries(train, settings, context)
            texts += queries
            parts.append(items)
        if settings.indexing != "queries":
            known = np.flatnonzero([bool(text.strip()) for text in train.items.texts])
            texts += [train.items.texts[item] for item in known.tolist()]
            parts.append(known.astype(np.int64))
        longest = (
            settings.query_tokens if settings.indexing == "queries" else settings.item_text_tokens
        )
        return ItemSide(tuple(texts), np.concatenate(parts), longest)

    def make_regime(self, sequences: Sequences) -> TrainingFormat:
        """Return the regime of the settings."""
        settings, more = self.settings, self._item_side
        if settings.personalised:
            return PersonalRegime(
                sequences, more, settings.max_history, settings.sequences, settings.query_tokens
            )
        return IndexingRegime(
            sequences, more, settings.real_queries, settings.batch_size, settings.query_tokens
        )
