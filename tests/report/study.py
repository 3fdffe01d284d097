"""A small study made by hand: models, seeds, settings and single tasks, with known ranks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.results.record import RunRecord
from tests.results.records import record

FULL, SAMPLED, SEARCH = ("rec", "full"), ("rec", "sampled"), ("search", "full")
FOREIGN = '<script>alert(1)</script> & "x"'
"""A model's name that would be trouble if it were taken for anything but text."""
REQUESTS = 60
BOTH = ["rec", "search"]
WHOLE = {"codes": "both", "width": 16}


def ranks(seed: int, typical: int) -> list[int]:
    """Return how many candidates stand above each target, about ``typical``."""
    drawn = np.random.default_rng(seed).geometric(1 / (typical + 1), REQUESTS) - 1
    return [int(min(above, 99)) for above in drawn]


def plans() -> list[dict[str, Any]]:
    """Return the runs, each as arguments of :func:`tests.results.records.record`."""
    joint = [
        {
            "model": "twin",
            "asked": {
                FULL: ranks(seed, 3),
                SAMPLED: ranks(10 + seed, 2),
                SEARCH: ranks(20 + seed, 1),
            },
            "seed": seed,
            "tasks": BOTH,
            "settings": WHOLE,
            "curve": [
                {"step": 1, "seconds": 1.0, "rec": 0.1, "search": 0.2},
                {"step": 2, "seconds": 2.0, "rec": 0.2, "search": 0.3},
            ],
        }
        for seed in (1, 2, 3)
    ]
    return [
        *joint,
        {"model": "twin", "asked": {FULL: ranks(1, 2)}, "tasks": ["rec"], "settings": WHOLE},
        {"model": "twin", "asked": {SEARCH: ranks(2, 2)}, "tasks": ["search"], "settings": WHOLE},
        {
            "model": "twin",
            "asked": {FULL: ranks(3, 9), SEARCH: ranks(4, 9)},
            "tasks": BOTH,
            "settings": {**WHOLE, "width": 8},
            "changed": {"width": 8},
        },
        *(
            {
                "model": "twin",
                "asked": {FULL: ranks(30 + seed, 9), SEARCH: ranks(40 + seed, 1)},
                "seed": seed,
                "tasks": BOTH,
                "settings": {**WHOLE, "codes": "none"},
                "changed": {"codes": "none"},
                "ablation": {"name": "without codes", "full": {"codes": "both"}},
            }
            for seed in (1, 2)
        ),
        {"model": "near", "asked": {FULL: ranks(5, 3), SAMPLED: ranks(6, 2)}},
        {"model": "poor_one", "asked": {FULL: ranks(7, 30)}, "parameters": 0},
    ]


def write(results: Path, order: Sequence[int] | None = None) -> list[RunRecord]:
    """Write the runs below ``results`` in this order of their plans, and return them."""
    planned = plans()
    return [
        record(results, **{"users": [n // 2 for n in range(REQUESTS)], **planned[place]})
        for place in (range(len(planned)) if order is None else order)
    ]
