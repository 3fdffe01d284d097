"""Spaces of a text encoder: as it comes, or tuned on what users did (Penha et al. 2025)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from baselines.bi_encoder import BiEncoder, PairGroup, TuneSettings, tune
from benchmark.model import TrainingContext, TrainView
from gensar.engine.spaces import Space

__all__ = ["TextSpaces", "neighbour_pairs"]


def neighbour_pairs(train: TrainView) -> PairGroup:
    """Return the distinct pairs of items, both with text, that a user met one after the other."""
    log, texts = train.log, train.items.texts
    same = log.user[1:] == log.user[:-1]
    pairs = np.stack([log.item[:-1][same], log.item[1:][same]], axis=1).astype(np.int64)
    pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    readable = np.fromiter(map(bool, texts), dtype=bool, count=len(texts))[pairs].all(axis=1)
    return PairGroup(texts, texts, pairs[readable])


@dataclass(frozen=True)
class TextSpaces:
    """Makes spaces of one data set's texts.

    Attributes:
        train: the data.
        encoder: ``minilm`` or a hub name.
        tuning: how the encoder is tuned where it is.
        context: seed, device and run_log.
    """

    train: TrainView
    encoder: str
    tuning: TuneSettings
    context: TrainingContext

    def content(self) -> Space:
        """Return the space of the encoder as it comes."""
        return self._space(self._load())

    def tuned(self, groups: Mapping[str, PairGroup]) -> Space:
        """Return the space of the encoder tuned on named ``groups`` of pairs, all in turn.

        The last epoch's weights are taken: validation measures recommendation and search, which
        need identifiers and a trained generator first. Without any pair it stays as it comes.
        """
        encoder = self._load()
        run_log = self.context.run_log.apart()
        tune(encoder, [*groups.values()], self.tuning, replace(self.context, run_log=run_log), dict)
        losses = [point["loss"] for point in run_log.curve]
        counts = {name: len(group.pairs) for name, group in groups.items()}
        self.context.run_log.facts["tuned_encoder"] = {"pairs": counts, "loss": losses}
        return self._space(encoder)

    def _load(self) -> BiEncoder:
        return BiEncoder(self.encoder, self.context.device, self.tuning.longest)

    def _space(self, encoder: BiEncoder) -> Space:
        return Space(encoder.encode(self.train.items.texts), encoder.encode)
