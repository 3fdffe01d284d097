"""Ending trials early: asynchronous successive halving (Li et al. 2020), which is Optuna's.

A rung is a share of the budget, which is the same for every model: of the processor time or, where
a cap is told in steps or epochs, of these. A trial that reaches one goes on only if the best that
it has come to is among the best ``1 / reduction_factor`` of all that reached it; it is never judged
by what others came to with more training. A model that validates less often is judged at its next
validation, and not at all at the last. The first trial, which is the preset, always goes on.

What a trial came to at a rung is the best of its curve so far, as the weights of that are what its
training would leave. It never falls, and the best of a rung always goes on. So whatever is pruned
was beaten with the same training by a trial that went further, and that one, unless it failed, by
one that is complete or is complete itself: no pruned trial had come to more than the best complete
one. That is why none is ever chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Annotated

import optuna
from pydantic import Field
from pydantic.dataclasses import dataclass

from benchmark.tuning.trials import STRICT, Point, Trial

__all__ = ["HALVING", "Halving", "seconds_saved"]

Curve = Sequence[Point]


@dataclass(frozen=True, config=STRICT)
class Halving:
    """The rule by which trials are pruned; the names are Optuna's.

    Attributes:
        min_resource: the first rung, in percent of the budget.
        reduction_factor: of ``reduction_factor`` trials one goes on, and the next rung is at so
            many times the share: with the defaults they are at 10, 30 and 90 percent.
    """

    min_resource: Annotated[int, Field(ge=1, le=100)] = 10
    reduction_factor: Annotated[int, Field(ge=2)] = 3

    def prunes(self, own: Curve, others: Iterable[Curve]) -> bool:
        """Return whether a trial ends at the last point of its curve.

        Args:
            own: its curve.
            others: those of the other trials, whatever became of them; asked for at rungs only.
        """
        new = len(list(self._reached(own))) - len(list(self._reached(own[:-1])))
        return new > 0 and any(self._verdicts(own, others)[-new:])

    def _verdicts(self, own: Curve, others: Iterable[Curve]) -> list[bool]:
        """Return Optuna's verdict on a trial at each rung that it has reached.

        The pruner is made anew from the curves for each question, as the sampler is: what decides
        is on the disk, whoever asks. So it is told of all trials as if each had gone on.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        search = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.RandomSampler(seed=0),
            pruner=optuna.pruners.SuccessiveHalvingPruner(
                min_resource=self.min_resource, reduction_factor=self.reduction_factor
            ),
        )
        verdicts: list[bool] = []
        for curve in (*others, own):
            trial, verdicts = search.ask(), []
            for rung, value in self._reached(curve):
                trial.report(value, rung)
                verdicts.append(trial.should_prune())
        return verdicts

    def _reached(self, curve: Curve) -> Iterator[tuple[int, float]]:
        """Yield each rung that a curve has reached, and the best that it then had come to."""
        rung = self.min_resource
        best = accumulate((point.value for point in curve), max)
        for point, value in zip(curve, best, strict=True):
            while rung <= point.percent:
                yield rung, value
                rung *= self.reduction_factor


HALVING = Halving()
"""The rule of every search that has one."""


def seconds_saved(trials: Sequence[Trial]) -> float:
    """Return an estimate of the seconds that pruned trials would have taken more.

    Each would have gone on as the complete ones did from the same share of the budget, on the
    average of these, at its own pace.
    """
    complete = [trial for trial in trials if trial.state == "complete" and trial.curve]
    saved = 0.0
    for trial in trials:
        if trial.state == "pruned":
            ratios = [_ratio(each, trial.curve[-1].percent) for each in complete]
            saved += trial.seconds * (sum(ratios) / max(len(ratios), 1) - 1) if ratios else 0.0
    return max(saved, 0.0)


def _ratio(trial: Trial, percent: int) -> float:
    """Return the seconds of a trial, in those that it took to come to a share of its budget."""
    there = next((p.seconds for p in trial.curve if p.percent >= percent), trial.seconds)
    return trial.seconds / there if there > 0 else 1.0
