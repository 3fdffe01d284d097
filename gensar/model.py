"""GenSAR behind the harness's Model interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmark.data.requests import Task
from benchmark.model import FitContext, TrainView, Validation
from gensar.generator import Generator, Identified, Regime
from gensar.identifiers import build_identifiers
from gensar.item_vectors import collaborative_vectors, semantic_vectors
from gensar.packed import PackedRegime
from gensar.plain import PlainRegime
from gensar.sequences import Sequences
from gensar.settings import PRESETS, GenSARSettings

__all__ = ["GenSAR"]


class GenSAR(Generator):
    """Generates a semantic identifier for a search, a collaborative one for a recommendation."""

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC, Task.SEARCH})
    Settings = GenSARSettings
    presets = PRESETS

    settings: GenSARSettings

    def identify(self, train: TrainView, validation: Validation, context: FitContext) -> Identified:
        """Learn both kinds of vectors of the items, then quantise them together."""
        journal, settings = context.journal, self.settings
        with journal.phase("semantic vectors"):
            semantic = semantic_vectors(train.items.texts, settings.encoder, context)
        with journal.phase("collaborative vectors"):
            collaborative = collaborative_vectors(
                train, validation, context, settings.collaborative_preset, settings.collaborative
            )
        with journal.phase("identifiers"):
            quantiser = build_identifiers(
                semantic, collaborative, settings, context.seed, context.device, journal
            )

        def place(texts: Sequence[str]) -> NDArray[np.float32]:
            return quantiser.place(semantic_vectors(tuple(texts), settings.encoder, context))

        return Identified(quantiser.identifiers, place)

    def make_regime(self, sequences: Sequences) -> Regime:
        """Return the regime of the settings."""
        regime = PackedRegime if self.settings.regime == "packed" else PlainRegime
        return regime(self.settings, sequences)
