"""What parts of networks cost for each position that goes through them.

Operations are those of the matrix products; a backward pass takes twice a forward one's. Numbers
that a forward pass leaves for the backward one are counted as PyTorch's autograd keeps them: the
inputs of products, the results of softmax, dropout and activations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from benchmark.budget import Budget
from benchmark.data.requests import Task
from benchmark.learning.encoder_sizes import sizes_of
from benchmark.learning.pace import SPACING
from benchmark.needs import Sizes, Work, in_turn

__all__ = [
    "FLOAT",
    "USUAL_STEPS",
    "Cost",
    "attention",
    "encoder_of",
    "encoding",
    "epoch_of",
    "feed_forward",
    "forward",
    "linear",
    "trained",
    "transformer",
    "validations",
    "vector_width",
]

FLOAT = 4
"""Bytes of a number."""
BACKWARD = 3
"""Operations of a training step in those of its forward pass."""
ADAM = 36
"""Bytes that an optimiser's step moves for each weight: gradient, two moments, the weight."""
USUAL_STEPS = 4000
"""Steps after which validation is taken to stop a training: a guess."""
TEXTS_AT_ONCE = 32
"""Texts that sentence-transformers encodes together."""


@dataclass(frozen=True)
class Cost:
    """Of one position in a forward pass.

    Attributes:
        weights: of the part, however many positions go through it.
        flop: operations.
        floats: numbers that are left for the backward pass.
    """

    weights: float = 0.0
    flop: float = 0.0
    floats: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        """Return the cost of two parts, one behind the other."""
        return Cost(
            self.weights + other.weights, self.flop + other.flop, self.floats + other.floats
        )

    def __mul__(self, times: float) -> Cost:
        """Return the cost of as many such parts."""
        return Cost(self.weights * times, self.flop * times, self.floats * times)


def forward(cost: Cost, positions: float) -> Work:
    """Return the work of so many positions that go through a part without a backward pass."""
    return Work(flop=cost.flop * positions, moved=FLOAT * cost.floats * positions)


def linear(inputs: float, outputs: float) -> Cost:
    """Return the cost of a dense layer."""
    return Cost(inputs * outputs, 2 * inputs * outputs, outputs)


def attention(width: float, heads: float, length: float) -> Cost:
    """Return the cost of attention to ``length`` positions, its four projections included.

    Weights are kept before the softmax, behind it, and behind dropout with its mask.
    """
    products = Cost(flop=4 * length * width, floats=4 * heads * length + 3 * width)
    return linear(width, width) * 4 + products


def feed_forward(width: float, inner: float) -> Cost:
    """Return the cost of two dense layers with an activation and dropout between them."""
    return linear(width, inner) + linear(inner, width) + Cost(floats=2 * inner + 4 * width)


def transformer(layers: float, width: float, inner: float, heads: float, length: float) -> Cost:
    """Return the cost of encoder layers."""
    return (attention(width, heads, length) + feed_forward(width, inner)) * layers


def encoder_of(name: str, pieces: float) -> Cost | None:
    """Return the cost of a word piece in a text encoder; ``None`` where its sizes are not known."""
    sizes = sizes_of(name)
    if sizes is None:
        return None
    layer = transformer(sizes.layers, sizes.width, sizes.inner, sizes.heads, pieces)
    return Cost(sizes.weights, layer.flop, layer.floats)


def vector_width(name: str) -> int | None:
    """Return the length of a text encoder's states; ``None`` where its sizes are not known."""
    sizes = sizes_of(name)
    return None if sizes is None else sizes.width


def encoding(encoder: Cost, texts: float, pieces: float) -> Work:
    """Return the work of encoding texts of so many word pieces each."""
    return Work(
        flop=texts * pieces * encoder.flop,
        moved=texts * pieces * encoder.floats * FLOAT,
        calls=texts / TEXTS_AT_ONCE,
        # Without gradients one layer's numbers live at a time.
        held=TEXTS_AT_ONCE * pieces * encoder.floats / 3 * FLOAT,
        encoder=encoder.weights,
    )


def epoch_of(
    network: Cost, positions: float, batch: float, steps: float, table: float = 0.0
) -> Work:
    """Return the work of an epoch of training.

    Args:
        network: what every position goes through.
        positions: in an epoch.
        batch: positions in the largest batch.
        steps: of the optimiser in an epoch.
        table: weights of embeddings beside the network's.
    """
    weights = network.weights + table
    return Work(
        flop=BACKWARD * network.flop * positions,
        moved=BACKWARD * FLOAT * network.floats * positions + ADAM * weights * steps,
        calls=BACKWARD * steps,
        held=batch * network.floats * FLOAT,
        trained=weights,
    )


def trained(
    budget: Budget,
    epoch: Work,
    steps: float,
    request: Work,
    sizes: Sizes,
    tasks: tuple[Task, ...],
) -> Work:
    """Return the work of a training with its validations, as if it never ended early.

    A budget that is told in time alone says nothing of steps: they are taken to be
    :data:`USUAL_STEPS`, in no more than that time.

    Args:
        budget: how long it is trained.
        epoch: the work of a pass over what is learned from.
        steps: of the optimiser in it.
        request: the work of answering a request.
        sizes: of the data.
        tasks: that are validated.
    """
    limits = [limit for limit in (budget.steps, budget.epochs * steps) if limit]
    most = min(limits) if limits else USUAL_STEPS
    asked = sizes.requests("validation", tasks, budget.validation_requests)
    work = in_turn(epoch * (most / max(steps, 1)), request * (asked * validations(budget, most)))
    return replace(work, limit=60 * budget.minutes)


def validations(budget: Budget, steps: float) -> float:
    """Return about how often so many steps are validated; see :mod:`benchmark.learning.pace`."""
    even = SPACING * budget.validate_every
    first = min(steps, even) / budget.validate_every
    later = math.log(max(steps / even, 1)) / math.log1p(1 / SPACING)
    return max(1.0, first + later)
