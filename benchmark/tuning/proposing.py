"""Which settings are tried next: Optuna's TPE sampler (Bergstra et al. 2011)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import optuna

from benchmark.search_space import Dimension, Range
from benchmark.tuning.trials import Trial

__all__ = ["propose"]


def propose(
    space: Mapping[str, Dimension], seed: int, number: int, trials: Sequence[Trial]
) -> dict[str, Any]:
    """Return the settings of a trial, chosen after the others so far.

    The sampler is made anew for each trial, so that a search that was interrupted goes on as it
    would have. It is told of pruned trials how far they came and with what value, and of those
    at work that they are no good, so that workers look at different places (a constant liar).

    Args:
        space: what is searched, by setting.
        seed: of the search.
        number: of the trial, from 1.
        trials: the others.
    """
    distributions = {name: _distribution(dimension) for name, dimension in space.items()}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # Of the trials before, so that searches of earlier versions go on.
    seed = (seed * 100_003 + number - 1) % 2**32
    sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
    search = optuna.create_study(direction="maximize", sampler=sampler)
    for trial in trials:
        # A preset's own values may lie outside of the space.
        inside = all(trial.settings[name] in dimension for name, dimension in space.items())
        if inside and trial.state != "failed":
            search.add_trial(_told(trial, space, distributions))
    drawn = search.ask(distributions).params
    return {name: _decoded(drawn[name], dimension) for name, dimension in space.items()}


def _told(
    trial: Trial,
    space: Mapping[str, Dimension],
    distributions: dict[str, optuna.distributions.BaseDistribution],
) -> optuna.trial.FrozenTrial:
    """Return a trial as Optuna sees it."""
    params = {n: _coded(trial.settings[n], dimension) for n, dimension in space.items()}
    states = optuna.trial.TrialState
    if trial.state == "complete":
        return optuna.trial.create_trial(
            params=params, distributions=distributions, value=trial.value
        )
    reached = {}
    if trial.state == "pruned" and trial.value is not None:
        reached = {trial.curve[-1].percent: trial.value}
    return optuna.trial.create_trial(
        state=states.PRUNED if reached else states.RUNNING,
        params=params,
        distributions=distributions,
        intermediate_values=reached,
    )


def _distribution(dimension: Dimension) -> optuna.distributions.BaseDistribution:
    if isinstance(dimension, Range):
        return optuna.distributions.FloatDistribution(
            dimension.low, dimension.high, log=dimension.log
        )
    return optuna.distributions.CategoricalDistribution(tuple(range(len(dimension.values))))


def _coded(value: Any, dimension: Dimension) -> Any:
    """Return a value as Optuna sees it: one of a choice by its place, since it may be a tuple."""
    return value if isinstance(dimension, Range) else dimension.values.index(value)


def _decoded(drawn: Any, dimension: Dimension) -> Any:
    return drawn if isinstance(dimension, Range) else dimension.values[drawn]
