"""SESRec (Si et al. 2023) behind the harness's interface."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, starmap
from typing import ClassVar

from baselines.sesrec.network import HEAD, VIEWS, SESRecNetwork
from baselines.sesrec.settings import PRESETS, SESRecSettings
from baselines.sesrec.training import SESRecTrainer
from baselines.two_histories.model import TwoHistoriesModel
from baselines.two_histories.network import PAIRS_AT_ONCE
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

__all__ = ["SESRec"]


class SESRec(TwoHistoriesModel[SESRecSettings]):
    """Recommends by what both histories share and by what each has for itself."""

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC})
    Settings = SESRecSettings
    presets = PRESETS
    name = "sesrec"
    Network = SESRecNetwork
    Trainer = SESRecTrainer

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Tell both histories' layers, what each candidate sees of them, and the items' words."""
        s = self.settings
        window = sizes.window(s.max_history)
        looks = 4 * window
        outputs = HEAD[0] + s.width
        reading = transformer(s.layers, s.width, s.inner, s.heads, window) + linear(
            s.width, VIEWS / 2 * outputs
        )
        pair = linear(2 * window, s.width) + linear(looks, outputs) + Cost(floats=2 * looks)
        pair += sum(starmap(linear, pairwise((*HEAD, 1))), Cost(floats=2 * sum(HEAD)))
        words = Cost(flop=2 * s.words * s.id_width, floats=2 * s.words * s.id_width)
        pieces = min(MOST_PIECES, (sizes.item_bytes + sizes.query_bytes) / 4)
        table = (sizes.users + sizes.items + pieces) * s.id_width
        steps = -(-(sizes.events - sizes.searches) // s.batch_size)
        readings = s.batch_size / s.ahead
        candidates = readings * (s.ahead + s.negatives)
        looked_up = min(
            sizes.items, readings * (2 * window + s.negatives + s.ahead) + s.align_negatives
        )
        network = (VIEWS + 2) * s.width * outputs + reading.weights
        item = words + linear(s.width + s.id_width, s.width)
        passed = in_turn(
            forward(reading, readings * 2 * window),
            forward(pair, candidates),
            forward(item, looked_up),
        ) * (BACKWARD * steps)
        held = (
            readings * 2 * window * reading.floats
            + candidates * pair.floats
            + looked_up * (words.floats + 4 * s.width)
        )
        epoch = in_turn(epoch_of(Cost(), 0, 0, steps, table + network), passed)
        read = in_turn(forward(reading, 2 * window), forward(pair, sizes.items))
        request = Work(
            flop=read.flop,
            moved=read.moved,
            calls=sizes.items / PAIRS_AT_ONCE + 1 / 64,
            held=FLOAT
            * (
                sizes.items * (words.floats + 4 * s.width)
                + 3 * sizes.at_once * sizes.items
                + 64 * 2 * window * reading.floats
                + PAIRS_AT_ONCE * pair.floats
            ),
        )
        return Needs(
            (trained(s, replace(epoch, held=FLOAT * held), steps, request, sizes, tasks),),
            request,
            kept=FLOAT * (table + network) + 8 * sizes.items * s.words,
            libraries=("torch",),
        )
