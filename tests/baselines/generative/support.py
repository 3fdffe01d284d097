"""Training the baselines with semantic identifiers in seconds, without a text encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from baselines.bi_encoder import PairGroup
from benchmark.data.dataset import Dataset
from benchmark.data.events import EventSource
from benchmark.data.requests import Requests, Task
from benchmark.model import TrainView
from tests.gensar.support import bag_of_words

SMALL: dict[str, Any] = {
    "levels": 2,
    "codebook_size": 8,
    "latent": 8,
    "rqvae_hidden": (16,),
    "rqvae_epochs": 5,
    "width": 16,
    "heads": 2,
    "layers": 1,
    "feed_forward": 32,
    "text_tokens": 200,
    "max_history": 6,
    "epochs": 2,
    "validate_every": 1,
    "validation_requests": 20,
}


class BagOfWords:
    """Stands in for the bi-encoder; each round of tuning turns its space by one column."""

    def __init__(self, *_: object) -> None:
        self.turns = 0

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.roll(bag_of_words(tuple(texts)), self.turns, axis=1)


@contextmanager
def without_text_encoder(tuned_on: list[list[int]] | None = None) -> Iterator[None]:
    """Replace every text encoder; ``tuned_on`` gets, for each tuning, its numbers of pairs."""

    def tune(encoder: BagOfWords, groups: Sequence[PairGroup], *_: object) -> int:
        encoder.turns += 1
        if tuned_on is not None:
            tuned_on.append([len(group.pairs) for group in groups])
        return 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gensar.engine.item_vectors.semantic_vectors", bag_of_words)
        patch.setattr("baselines.generative.text_spaces.BiEncoder", BagOfWords)
        patch.setattr("baselines.generative.text_spaces.tune", tune)
        yield


def without_texts(train: TrainView) -> TrainView:
    return replace(train, items=replace(train.items, texts=("",) * len(train.items)))


def without_searches(train: TrainView) -> TrainView:
    return replace(train, log=train.log.select(train.log.kind == EventSource.RECOMMENDED))


def without_first_users(train: TrainView) -> TrainView:
    return replace(train, log=train.log.select(train.log.user >= 5))


def asked(data: Dataset, task: Task) -> Requests:
    """Return a few test requests over the whole catalogue."""
    return replace(data.evaluation["test", task].requests[:12], candidates=None)
