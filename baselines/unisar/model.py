"""UniSAR (Shi et al. 2024) behind the harness's interface."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, starmap
from typing import ClassVar

from baselines.two_histories.model import TwoHistoriesModel
from baselines.two_histories.network import PAIRS_AT_ONCE
from baselines.unisar.extraction import EXPERT_WIDTH, HEAD, TOWER
from baselines.unisar.network import UniSARNetwork
from baselines.unisar.settings import PRESETS, UniSARSettings
from baselines.unisar.training import UniSARTrainer
from baselines.words import MOST_PIECES
from benchmark.data.requests import Task
from benchmark.learning.costs import (
    BACKWARD,
    FLOAT,
    Cost,
    epoch_of,
    forward,
    linear,
    trained,
    transformer,
)
from benchmark.needs import Needs, Sizes, Work, in_turn

__all__ = ["UniSAR"]


class UniSAR(TwoHistoriesModel[UniSARSettings]):
    """Scores candidates of both tasks from both histories and the transitions between them."""

    tasks: ClassVar[frozenset[Task]] = frozenset(Task)
    Settings = UniSARSettings
    presets = PRESETS
    name = "unisar"
    Network = UniSARNetwork
    Trainer = UniSARTrainer

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Tell both histories' layers, the experts of every candidate, and the words of the items.

        One reading of a history predicts ``ahead`` events, against the same negatives.
        """
        s = self.settings
        window = sizes.window(s.max_history)
        layer = transformer(1, s.width, s.inner, s.heads, window)
        # Of each place of a history: its own kind's layers, those across, and a decoder layer.
        reading = layer * (2 * s.layers + 2) + linear(s.width, s.width)
        words = Cost(flop=2 * s.words * s.id_width, floats=2 * s.words * s.id_width)
        experts = linear(5 * s.width, 2 * s.experts * EXPERT_WIDTH)
        widths = (EXPERT_WIDTH, *TOWER, *HEAD, 1)
        tower = sum(starmap(linear, pairwise(widths)), Cost(floats=4 * window))
        pair = experts + tower
        pieces = min(MOST_PIECES, (sizes.item_bytes + sizes.query_bytes) / 4)
        table = (sizes.users + sizes.items + pieces) * s.id_width
        count = max(sizes.events - sizes.searches, sizes.searches)
        steps = -(-count // s.batch_size)
        readings = s.batch_size / s.ahead
        candidates = readings * (s.ahead + s.negatives) * s.ahead
        looked_up = min(
            sizes.items, 2 * (readings * (2 * window + s.negatives + s.ahead) + s.align_negatives)
        )
        held = len(tasks) * (
            readings * 2 * window * reading.floats
            + candidates * pair.floats
            + looked_up * (words.floats + 4 * s.width)
        )
        looks = words + linear(s.width + s.id_width, s.width)
        passed = in_turn(
            forward(reading, readings * 2 * window),
            forward(pair, candidates),
            forward(looks, looked_up),
        ) * (BACKWARD * len(tasks) * steps)
        epoch = epoch_of(Cost(), 0, 0, steps, table + reading.weights + 3 * pair.weights)
        epoch = replace(in_turn(epoch, passed), held=FLOAT * held)
        read = in_turn(forward(reading, 2 * window), forward(pair, sizes.items))
        request = Work(
            flop=read.flop,
            moved=read.moved,
            calls=sizes.items / PAIRS_AT_ONCE + 1 / 64,
            held=FLOAT
            * (
                sizes.items * (words.floats + 4 * s.width)
                + 3 * sizes.at_once * sizes.items
                + 64 * 2 * window * reading.floats / 4
                + PAIRS_AT_ONCE * pair.floats
            ),
        )
        return Needs(
            (trained(s, epoch, steps, request, sizes, tasks),),
            request,
            kept=FLOAT * (table + reading.weights) + 8 * sizes.items * s.words,
            libraries=("torch",),
        )
