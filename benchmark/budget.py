"""How long a model is trained: the same settings, with the same caps, for every trained model.

A training goes on at one learning rate until its mean validation NDCG@10 has not risen for
``patience`` validations, goes back to where it was best, and lets the rate fall to 0 over a share
of the steps that led there (warm-up, stable, decay: Hu et al. 2024, arXiv 2404.06395; Hägele et
al. 2024, arXiv 2405.18392). So it needs no horizon, and what ends it is the validation and no count
of epochs that suited one data set. Validations come at a tenth of the steps behind from each other:
patience means as much on small data as on large.

A cap ends it in the same way, only earlier: in processor time, which is the same budget for every
model whatever its steps cost, or in steps or epochs, which repeat to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.settings import setting

__all__ = ["STEP_SHARE", "Budget", "budgeted"]

STEP_SHARE = 1 / 3
"""The part of its model's time that a training may take which only prepares another one."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The settings that say how long a model is trained; the defaults are those of ``standard``."""

    minutes: float = setting(
        30.0,
        "processor minutes of training, two for a minute of two cores (on a GPU minutes by the"
        " clock), after which it ends as it is; 0 for no limit",
    )
    steps: int = setting(0, "most steps of the optimiser, 0 for no limit")
    epochs: int = setting(0, "most passes over what is learned from, 0 for no limit")
    warm_up: int = setting(100, "steps in which the learning rate rises")
    decay: float = setting(
        0.2, "share of the steps behind, over which the learning rate falls to 0 at the end"
    )
    validate_every: int = setting(
        200, "steps between validations, at least; later a tenth of the steps behind", low=1
    )
    validation_requests: int = setting(
        1000, "requests of each task in a validation while training, 0 for all"
    )
    patience: int = setting(6, "validations without a gain before the rate falls", low=1)


_BUDGETS: Mapping[str, Mapping[str, Any]] = {
    "quick": {"minutes": 0.0, "steps": 300, "validate_every": 100, "validation_requests": 200},
    "standard": {},
    "thorough": {"minutes": 240.0, "patience": 10, "validation_requests": 0},
    "paper": {"minutes": 0.0},
}


def budgeted(presets: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return a model's presets with the budget that each of them gives to every model.

    Args:
        presets: what the model itself changes, by preset. Only ``quick``, which has to be quick
            more than fair, and ``paper``, which follows a publication, may change the budget.

    Raises:
        ValueError: another preset changes the budget.
    """
    own = set(Budget.__dataclass_fields__)
    for name in ("standard", "thorough"):
        if changed := own.intersection(presets.get(name, ())):
            raise ValueError(f"preset '{name}' gives a budget of its own: {sorted(changed)}")
    names = dict.fromkeys([*_BUDGETS, *presets])
    return {name: {**_BUDGETS.get(name, {}), **presets.get(name, {})} for name in names}
