"""When a training is validated, and when it ends: what a budget comes to, step by step."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from benchmark.budget import Budget
from benchmark.learning.checkpoint import Ending, Progress
from benchmark.learning.schedules import Decay
from benchmark.model import TrainingContext

__all__ = ["SPACING", "Pace"]

SPACING = 10
"""Validations are this part of the steps behind apart."""
DECAY_VALIDATIONS = 4
"""Validations while the rate falls; the last one is at its end."""


@dataclass
class Pace:
    """Decides for all processes of a training alike.

    Attributes:
        budget: caps, patience and spacing.
        batches: of the first pass over what is learned from.
        share: of the budget's time that is over when this training ends.
        context: its run log tells the time spent, and its device by which clock.
        horizon: most steps by the caps that are told in steps, ``None`` where there is none.
    """

    budget: Budget
    batches: int
    share: float
    context: TrainingContext
    horizon: int | None = field(init=False)

    def __post_init__(self) -> None:
        limits = (self.budget.steps, self.budget.epochs * self.batches)
        self.horizon = min((limit for limit in limits if limit), default=None)

    @property
    def warm_up(self) -> int:
        """The steps in which the rate rises: a tenth of all at most, where these are known."""
        most = self.budget.warm_up
        return most if self.horizon is None else min(most, self.horizon // 10)

    def spent(self) -> float:
        """Return the seconds that count: of the run, so that all steps of a model share its cap."""
        spent = self.context.run_log.elapsed()[0]
        return spent.seconds if self.context.device == "cuda" else spent.processor_seconds

    @property
    def limit(self) -> float:
        """The seconds after which this training ends, 0 for no limit."""
        return 60 * self.budget.minutes * self.share

    def until(self, progress: Progress) -> int:
        """Return the step of the next validation."""
        return self.context.processes.once(lambda: self._until(progress))

    def _until(self, progress: Progress) -> int:
        step, decay = progress.step, progress.decay
        if decay is not None:
            each = math.ceil(decay.steps / DECAY_VALIDATIONS)
            return min(step + each, decay.start + decay.steps)
        next_one = step + max(self.budget.validate_every, step // SPACING)
        return max(step + 1, min(next_one, self._cap(progress, next_one)))

    def _cap(self, progress: Progress, otherwise: int) -> int:
        """Return the step at which the rate has to fall, for the decay to end at a cap."""
        shares, caps = 1 + self.budget.decay, [otherwise]
        if self.horizon is not None:
            caps.append(max(1, math.floor(self.horizon / shares)))
        if self.limit and progress.step:
            each = max(self.spent() - progress.before, 1e-9) / progress.step
            caps.append(math.floor((self.limit - progress.before) / each / shares))
        return min(caps)

    def judged(self, progress: Progress) -> Progress:
        """Return a validated training with what follows: nothing, the decay, or the end."""
        return self.context.processes.once(lambda: self._judged(progress))

    def _judged(self, progress: Progress) -> Progress:
        step, decay = progress.step, progress.decay
        if decay is not None:
            over = step >= decay.start + decay.steps
            return replace(progress, ended=progress.stopped_by) if over else progress
        nearly = step + step // 100
        if progress.misses >= self.budget.patience:
            reason: Ending = "validation"
        elif self._cap(progress, nearly + 1) <= nearly:
            reason = "cap"
        else:
            return progress
        steps = math.ceil(self.budget.decay * progress.best_step)
        if self.horizon is not None:
            steps = min(steps, self.horizon - step)
        if steps < 1:
            return replace(progress, stopped_by=reason, ended=reason)
        return replace(progress, stopped_by=reason, decay=Decay(step, steps))

    def behind(self, progress: Progress) -> float:
        """Return the share of the budget that is behind, 0 to 1, by the cap that is nearest."""
        return self.context.processes.once(lambda: self._behind(progress))

    def _behind(self, progress: Progress) -> float:
        shares = [0.0]
        if self.horizon:
            shares.append(progress.step / self.horizon)
        if self.limit:
            shares.append(self.spent() / self.limit)
        return 1.0 if progress.ended else min(max(shares), 1.0)
