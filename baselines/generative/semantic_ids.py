"""Semantic identifiers for search and recommendation together (Penha et al. 2025).

One generator writes identifiers for both tasks. What the paper compares is where they come from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from baselines.bi_encoder import TuneSettings, query_item_pairs
from baselines.generative.apart import ApartRegime
from baselines.generative.costs import apart_targets, quantisation_work
from baselines.generative.identify import facts_of, separate_identifiers, single_identifiers
from baselines.generative.quantise import Quantisation, quantise
from baselines.generative.settings import IdentifierSettings
from baselines.generative.text_spaces import TextSpaces, neighbour_pairs
from benchmark.budget import STEP_SHARE, budgeted
from benchmark.data.requests import Task
from benchmark.errors import InputError
from benchmark.given import Given
from benchmark.learning.costs import encoder_of, encoding, epoch_of
from benchmark.learning.encoder_sizes import weights_of
from benchmark.model import TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, in_turn
from benchmark.settings import setting
from gensar.engine.generator import Generator, Identified
from gensar.engine.identifiers import COLLABORATIVE, SEMANTIC
from gensar.engine.needs import backbone_needs
from gensar.engine.regime import TrainingFormat
from gensar.engine.sequences import Sequences
from gensar.engine.spaces import Space, fused_concat, fused_svd, interaction_vectors

__all__ = ["SemanticIds", "SemanticIdsSettings"]


@dataclass(frozen=True)
class SemanticIdsSettings(IdentifierSettings):
    """Settings of :class:`SemanticIds`; the defaults are those of ``standard``."""

    construction: Literal[
        "content",
        "search-tuned",
        "rec-tuned",
        "separate",
        "fused-concat",
        "fused-svd",
        "multi-task",
    ] = setting("multi-task", "the vectors that identifiers are made from")
    interaction_width: int = setting(64, "width of the vectors of who met what (rec-tuned)", low=1)
    tune_epochs: int = setting(3, "epochs in which the text encoder is tuned", low=1)
    tune_pairs: int = setting(2048, "pairs of each kind in such an epoch, 0 for all")
    tune_batch_size: int = setting(128, "pairs in a batch, each the others' negatives", low=1)
    tune_learning_rate: float = setting(1e-4, "learning rate of the text encoder", low=1e-9)
    tune_temperature: float = setting(0.05, "what cosines are divided by in its loss", low=1e-9)
    text_pieces: int = setting(32, "word pieces of a text that the encoder reads", low=1)
    search_batch_size: int = setting(
        512, "most pairs of query and item in a step of the generator", low=1
    )


class SemanticIds(Generator):
    """Writes one identifier for both tasks, from a history or from a query."""

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC, Task.SEARCH})
    Settings = SemanticIdsSettings
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = budgeted(
        {
            "quick": {
                "tune_epochs": 1,
                "tune_pairs": 128,
                "text_tokens": 2048,
                "width": 48,
                "layers": 1,
                "validation_requests": 100,
            },
            "paper": {
                "encoder": "sentence-transformers/all-mpnet-base-v2",
                "codebook_size": 256,
                "backbone": "google/flan-t5-base",
                "codebook_start": False,
                "item_tokens": "codes",
                "softmax": "vocabulary",
                "query_tokens": 64,
                "tune_pairs": 0,
                "batch_size": 128,
                "search_batch_size": 128,
                "learning_rate": 2e-3,
                "epochs": 9,
                "num_beams": 60,
            },
        }
    )

    settings: SemanticIdsSettings

    def check(self, train: TrainView, tasks: tuple[Task, ...]) -> None:
        """Refuse items without a text where the construction reads them.

        Raises:
            InputError: no item has any.
        """
        if self.settings.construction != "rec-tuned" and not train.items.have_texts:
            raise InputError(
                "this data set has no item texts to make identifiers from; "
                "--set construction=rec-tuned needs none"
            )

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Tell the tuned text encoder, the quantisation, and the backbone."""
        s = self.settings
        pieces = sizes.item_pieces(s.text_pieces)
        encoder = encoder_of(s.encoder, pieces)
        if encoder is None:
            return None
        vectors = encoding(encoder, sizes.items, pieces)
        if s.construction not in ("content", "rec-tuned"):
            count = min(s.tune_pairs or sizes.events, sizes.events)
            each = count * 2 * pieces
            batch = min(s.tune_batch_size, count) * 2 * pieces
            epoch = epoch_of(encoder, each, batch, count / s.tune_batch_size)
            groups = len(tasks) if s.construction == "multi-task" else 1
            vectors = in_turn(epoch * (groups * s.tune_epochs), vectors)
        return backbone_needs(
            s,
            sizes,
            tasks,
            apart_targets(s, sizes, tasks, s.search_batch_size),
            s.levels + 1,
            s.levels * s.codebook_size,
            [
                vectors.named("item vectors"),
                quantisation_work(s, sizes.items).named("identifiers"),
            ],
        )

    def given(self) -> Given:
        """Tell what it reads."""
        s = self.settings
        encoder = "" if s.construction == "rec-tuned" else s.encoder
        return Given(
            item_text=True,
            query_text=True,
            encoder=encoder,
            encoder_parameters=weights_of(encoder),
            longest_history=s.max_history,
        )

    def identify(
        self, train: TrainView, validation: Validation, context: TrainingContext
    ) -> Identified:
        """Make the vectors of the construction and quantise them."""
        self.check(train, context.tasks)
        run_log, settings = context.run_log, self.settings
        if settings.construction == "separate":
            with run_log.phase("item vectors"):
                spaces = [self._space(one, train, context) for one in ("search-tuned", "rec-tuned")]
            with run_log.phase("identifiers"):
                quantised = [self._quantised(space, context) for space in spaces]
                identifiers = separate_identifiers(*quantised)
        else:
            with run_log.phase("item vectors"):
                spaces = [self._space(settings.construction, train, context)]
            with run_log.phase("identifiers"):
                quantised = [self._quantised(spaces[0], context)]
                identifiers = single_identifiers(quantised[0].codes, quantised[0].vectors)
        run_log.facts["identifiers"] = {
            name: facts_of(
                identifiers.codes[own], identifiers.level_sizes[own], settings.levels
            ).to_json()
            for own, name in ((SEMANTIC, "search"), (COLLABORATIVE, "rec"))
        }
        width = identifiers.codebooks[SEMANTIC][0].shape[1]
        return Identified(identifiers, _place(spaces[0], quantised[0], width))

    def _quantised(self, space: Space, context: TrainingContext) -> Quantisation:
        return quantise(space.items, self.settings, context.seed, context.device)

    def _space(self, construction: str, train: TrainView, context: TrainingContext) -> Space:
        """Return where items lie in one of the constructions; multi-task tunes on the tasks asked
        for."""
        if construction == "rec-tuned":
            width = self.settings.interaction_width
            return Space(interaction_vectors(train.log, len(train.items), width, context.seed))
        texts = TextSpaces(train, self.settings.encoder, self._tuning(), context)
        if construction == "content":
            return texts.content()
        if construction == "multi-task":
            makers = {Task.SEARCH: query_item_pairs, Task.REC: neighbour_pairs}
            return texts.tuned({str(task): makers[task](train) for task in context.tasks})
        search = texts.tuned({str(Task.SEARCH): query_item_pairs(train)})
        if construction == "search-tuned":
            return search
        fuse = fused_concat if construction == "fused-concat" else fused_svd
        return fuse(search, self._space("rec-tuned", train, context))

    def _tuning(self) -> TuneSettings:
        settings = self.settings
        return TuneSettings(
            longest=settings.text_pieces,
            temperature=settings.tune_temperature,
            batch_size=settings.tune_batch_size,
            learning_rate=settings.tune_learning_rate,
            pairs=settings.tune_pairs,
            epochs=settings.tune_epochs,
            minutes=settings.minutes * STEP_SHARE,
        )

    def make_regime(self, sequences: Sequences) -> TrainingFormat:
        """Return the regime of the settings."""
        settings = self.settings
        return ApartRegime(
            sequences,
            settings.max_history,
            settings.batch_size,
            settings.search_batch_size,
            settings.query_tokens,
        )


def _place(
    space: Space, quantised: Quantisation, width: int
) -> Callable[[Sequence[str]], NDArray[np.float32]] | None:
    """Return the map from texts to the codes' space, brought to ``width``; ``None`` without."""
    texts = space.texts
    if texts is None:
        return None

    def place(words: Sequence[str]) -> NDArray[np.float32]:
        placed = quantised.place(texts(words))
        return np.pad(placed, ((0, 0), (0, width - placed.shape[1])))

    return place
