"""TIGER (Rajput et al. 2023): recommendation as writing the next item's semantic identifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from baselines.generative.apart import ApartRegime
from baselines.generative.costs import apart_targets, quantisation_work
from baselines.generative.identify import facts_of, single_identifiers
from baselines.generative.quantise import quantise
from baselines.generative.settings import IdentifierSettings
from benchmark.budget import budgeted
from benchmark.data.requests import Task
from benchmark.errors import InputError
from benchmark.given import Given
from benchmark.learning.encoder_sizes import weights_of
from benchmark.model import SharedStep, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes
from benchmark.settings import setting
from gensar.engine.generator import Generator, Identified
from gensar.engine.item_vectors import (
    collaborative_step,
    collaborative_vectors,
    text_step,
    text_vectors,
)
from gensar.engine.needs import backbone_needs, collaborative_work, text_vectors_work
from gensar.engine.regime import TrainingFormat
from gensar.engine.sequences import Sequences

__all__ = ["Tiger", "TigerSettings"]


@dataclass(frozen=True)
class TigerSettings(IdentifierSettings):
    """Settings of :class:`Tiger`; the defaults are those of ``standard``."""

    vectors: Literal["content", "collaborative"] = setting(
        "content", "items are quantised by their text, or by the item embeddings of SASRec"
    )
    collaborative_preset: Literal["quick", "standard", "thorough", "paper"] = setting(
        "standard", "preset of that SASRec"
    )
    quantiser: Literal["rq-kmeans", "rq-vae", "lfq"] = setting(
        "rq-vae", "residual k-means, a residual-quantised autoencoder, or residual sign bits"
    )


class Tiger(Generator):
    """Reads the identifiers of the history and writes the next one, code by code."""

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC})
    Settings = TigerSettings
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = budgeted(
        {
            "quick": {
                "collaborative_preset": "quick",
                "rqvae_epochs": 50,
                "width": 48,
                "layers": 1,
            },
            "paper": {
                "encoder": "sentence-transformers/sentence-t5-base",
                "collaborative_preset": "paper",
                "codebook_size": 256,
                "rqvae_hidden": (512, 256, 128),
                "rqvae_epochs": 20_000,
                "rqvae_steps": 0,
                "item_tokens": "codes",
                "softmax": "vocabulary",
                "codebook_start": False,
                "max_history": 20,
                "width": 128,
                "layers": 4,
                "heads": 6,
                "feed_forward": 1024,
                "learning_rate": 0.01,
                "epochs": 200,
            },
        }
    )

    settings: TigerSettings

    def check(self, train: TrainView, tasks: tuple[Task, ...]) -> None:
        """Refuse items without a text where their texts are what is quantised.

        Raises:
            InputError: no item has any.
        """
        if self.settings.vectors != "collaborative" and not train.items.have_texts:
            raise InputError(
                "it reads the items' texts, and this data set has none; "
                "--set vectors=collaborative quantises embeddings of SASRec"
            )

    def shared_steps(self, tasks: tuple[Task, ...]) -> Sequence[SharedStep]:
        """Return the vectors that identifiers are made of."""
        if self.settings.vectors == "collaborative":
            return [collaborative_step(tasks, self.settings.collaborative_preset)]
        return [text_step(self.settings.encoder)]

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Tell the vectors, their quantisation, and the backbone over packed histories."""
        s = self.settings
        if s.vectors == "collaborative":
            vectors = collaborative_work("sasrec", s.collaborative_preset, sizes, tasks)
        else:
            vectors = text_vectors_work(s.encoder, sizes)
        if vectors is None:
            return None
        quantised = quantisation_work(s, sizes.items)
        return backbone_needs(
            s,
            sizes,
            tasks,
            apart_targets(s, sizes, tasks, 1),
            s.levels + 1,
            s.levels * s.codebook_size,
            [vectors.named("item vectors"), quantised.named("identifiers")],
            reads_text=False,
        )

    def given(self) -> Given:
        """Tell what it reads."""
        s, reads = self.settings, self.settings.vectors == "content"
        return Given(
            item_text=reads,
            encoder=s.encoder if reads else "",
            encoder_parameters=weights_of(s.encoder) if reads else 0,
            longest_history=s.max_history,
        )

    def identify(
        self, train: TrainView, validation: Validation, context: TrainingContext
    ) -> Identified:
        """Quantise the items' vectors; the last code tells those apart that share the others."""
        self.check(train, context.tasks)
        run_log, settings = context.run_log, self.settings
        with run_log.phase("item vectors"):
            vectors = self._vectors(train, validation, context)
        with run_log.phase("identifiers"):
            quantised = quantise(vectors, settings, context.seed, context.device)
            identifiers = single_identifiers(quantised.codes, quantised.vectors, always=True)
        facts = facts_of(identifiers.codes[0], identifiers.level_sizes[0], settings.levels)
        run_log.facts["identifiers"] = {"identifier": facts.to_json()}
        return Identified(identifiers)

    def _vectors(
        self, train: TrainView, validation: Validation, context: TrainingContext
    ) -> NDArray[np.float32]:
        if self.settings.vectors == "collaborative":
            preset = self.settings.collaborative_preset
            return collaborative_vectors(train, validation, context, preset)
        return text_vectors(train, context, self.settings.encoder)

    def make_regime(self, sequences: Sequences) -> TrainingFormat:
        """Return the regime; no text is read, so the words of queries do not matter."""
        settings = self.settings
        return ApartRegime(
            sequences, settings.max_history, settings.batch_size, 1, settings.query_tokens
        )

    def texts(self, train: TrainView) -> list[str]:
        """Return nothing: the generator reads identifiers only."""
        return []
