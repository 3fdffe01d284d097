"""Checkpoints of a training: what the loop needs to go on as if nothing had been."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import Annotated, Any, Literal

import torch
from pydantic import ConfigDict, Field, FiniteFloat, TypeAdapter
from pydantic.dataclasses import dataclass as checked
from torch import Tensor, nn

from benchmark.learning.schedules import Decay
from benchmark.sealed import DamagedError, read_sealed, write_sealed

__all__ = ["MISFITS", "Checkpoint", "Ending", "Progress", "Weights"]

MISFITS = (
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    UnpicklingError,
    ValueError,
)
"""What torch raises on a state that is none, or another module's."""

Ending = Literal["", "validation", "cap", "nothing to learn"]
_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=0)]


@checked(frozen=True, config=ConfigDict(strict=True, extra="forbid"))
class Progress:
    """How far a training has come.

    Attributes:
        step: steps behind.
        epoch: passes over what is learned from, that are whole.
        place: steps behind in the pass that is not.
        before: seconds of the run that were over at the first step.
        best_value: the highest mean validation measure, or the step where nothing is measured.
        best_step: the step that it is from.
        misses: validations since.
        points: step and mean validation measure, while the rate was full.
        stopped_by: why the rate falls.
        decay: when it does.
        ended: why the training is over.
        curve: the points of the validation curve so far.
        elapsed: see :meth:`benchmark.run_log.RunLog.elapsed`.
    """

    step: _Count = 0
    epoch: _Count = 0
    place: _Count = 0
    before: _Seconds = 0.0
    best_value: FiniteFloat = 0.0
    best_step: _Count = 0
    misses: _Count = 0
    points: tuple[tuple[int, FiniteFloat], ...] = ()
    stopped_by: Ending = ""
    decay: Decay | None = None
    ended: Ending = ""
    curve: list[dict[str, int | FiniteFloat]] = field(default_factory=list)
    elapsed: list[tuple[_Seconds, _Seconds]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.best_step > self.step or self.place > self.step:
            raise ValueError(f"step {self.step}")

    def validated(self, value: float) -> Progress:
        """Return it with one more validation, whose mean measure this is."""
        better = not self.best_step or value > self.best_value
        points = self.points if self.decay else (*self.points, (self.step, value))
        if better:
            return replace(self, best_value=value, best_step=self.step, misses=0, points=points)
        return replace(self, misses=self.misses + 1, points=points)

    @property
    def last_doubling(self) -> float | None:
        """By what share the best validation rose over the last half of the steps at full rate.

        ``None`` where nothing was measured in the first half, or it was 0.
        """
        last = max((step for step, _ in self.points), default=0)
        early = max((value for step, value in self.points if step <= last / 2), default=0.0)
        late = max((value for _, value in self.points), default=0.0)
        return round(late / early - 1, 4) if early > 0 else None


@dataclass(frozen=True)
class Weights:
    """What a module and its optimiser hold.

    Attributes:
        weights: of the module, by name.
        optimiser: its state.
    """

    weights: Mapping[str, Tensor]
    optimiser: dict[str, Any]

    @classmethod
    def of(
        cls, module: nn.Module, optimiser: torch.optim.Optimizer, copied: bool = True
    ) -> Weights:
        """Return those of a module; a copy stays as it is when training goes on."""
        found = cls(module.state_dict(), optimiser.state_dict())
        return copy.deepcopy(found) if copied else found

    def put_back(self, module: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Let the module and its optimiser be as they were."""
        module.load_state_dict(self.weights)
        optimiser.load_state_dict(self.optimiser)


@dataclass(frozen=True)
class Checkpoint:
    """A training at one of its validations.

    Attributes:
        progress: how far it has come.
        last: its weights.
        best: those of its best validation so far.
    """

    progress: Progress
    last: Weights
    best: Weights

    def write(self, file: Path, owner: str) -> None:
        """Write it, sealed for its owner.

        Raises:
            InputError: it cannot be written.
        """
        content = BytesIO()
        state = {
            "progress": TypeAdapter(Progress).dump_json(self.progress).decode(),
            **{name: vars(held) for name, held in (("last", self.last), ("best", self.best))},
        }
        torch.save(state, content)
        with content.getbuffer() as view:  # released even where writing fails
            write_sealed(file, view, owner)

    @classmethod
    def read(cls, file: Path, owner: str, device: str, module: nn.Module) -> Checkpoint:
        """Read what was written for the same owner. Nothing in the file can be executed.

        Args:
            file: the file.
            owner: whom it was written for.
            device: where its tensors go.
            module: what its weights have to fit.

        Raises:
            DamagedError: the file is not what was written, or it fits no such training.
            InputError: it cannot be read.
        """
        content = BytesIO(read_sealed(file, owner))
        try:
            # Tensors and plain values only.
            state = torch.load(content, weights_only=True, map_location=device)
            progress = TypeAdapter(Progress).validate_json(state["progress"])
            last, best = Weights(**state["last"]), Weights(**state["best"])
            for held in (last, best):
                _check_fit(held.weights, module)
            return cls(progress, last, best)
        except MISFITS as error:
            raise DamagedError(file, f"or of another version: {type(error).__name__}") from error


def _check_fit(weights: Mapping[str, Tensor], module: nn.Module) -> None:
    """Refuse weights that are not those of the module, or not finite.

    Raises:
        ValueError: they are.
    """
    own = module.state_dict()
    learned = {name for name, _ in module.named_parameters()}
    if weights.keys() != own.keys():
        raise ValueError("other weights")
    for name, weight in own.items():
        found = weights[name]
        if (found.shape, found.dtype) != (weight.shape, weight.dtype):
            raise ValueError(f"{name} has another shape")
        if name in learned and not bool(torch.isfinite(found).all()):
            raise ValueError(f"{name} is not finite")
