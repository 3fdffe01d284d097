"""Fisher's randomisation test of all pairs of models: saddle-point tails against ranx's flips."""

from __future__ import annotations

import math
import time
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from benchmark.statistics.randomisation import randomisation_tests
from perf.measurement import Measurement, import_peer

__all__ = ["measure"]

DRAWS = 100_000
"""Flips of a pair that the peer is asked for, which leave a third of a p of 1e-4 open."""
SIGMAS = 4.0
"""Standard errors of a sampled p-value by which it may lie apart from ours."""


def measure(models: int = 20, requests: int = 100_000, peer_draws: int = 1000) -> Measurement:
    """Run the comparison.

    The peer would take days for all pairs, so it gets three of them with ``peer_draws`` flips
    each, and its time is scaled by pairs, and by flips to :data:`DRAWS`.
    """
    test = import_peer("ranx.statistical_tests").fisher_randomization_test
    values = _values(models, requests)
    test(values[0, :50], values[1, :50], n_permutations=10)  # compiles it
    started = time.perf_counter()
    ours = randomisation_tests(values)
    ours_s = time.perf_counter() - started
    pairs = [(0, 1), (0, models // 2), (0, models - 1)]
    started = time.perf_counter()
    theirs = [float(test(values[a], values[b], n_permutations=peer_draws)[0]) for a, b in pairs]
    measured = time.perf_counter() - started
    every = models * (models - 1) // 2
    found = [float(ours[a, b]) for a, b in pairs]
    note = (
        f"peer_s is extrapolated: {len(pairs)} pairs with {peer_draws:,} flips each were measured,"
        f" and scaled linearly to {every} pairs with {DRAWS:,}"
    )
    return Measurement(
        name="significance",
        ours_s=ours_s,
        peer=f"ranx {version('ranx')} fisher_randomization_test",
        peer_s=measured / (len(pairs) * peer_draws) * every * DRAWS,
        agree=all(
            abs(a - b) <= _allowed(a, peer_draws) for a, b in zip(found, theirs, strict=True)
        ),
        details={
            "models": models,
            "requests": requests,
            "peer_flips": DRAWS,
            "peer_threads": int(import_peer("numba").get_num_threads()),
            "peer_measured_s": measured,
            "our_p": found,
            "peer_p": theirs,
            "note": note,
        },
    )


def _values(models: int, requests: int) -> NDArray[np.float64]:
    """Return scores ``[models, requests]``: the further apart two models, the surer they differ."""
    rng = np.random.default_rng(0)
    spread = 0.1
    alike = rng.random(requests)
    step = 0.3 * spread * math.sqrt(2 / requests)
    better = np.arange(models)[:, None] * step
    return alike + better + rng.normal(0.0, spread, (models, requests))


def _allowed(p: float, peer_draws: int) -> float:
    return SIGMAS * math.sqrt(p * (1 - p) / peer_draws) + 1 / peer_draws
