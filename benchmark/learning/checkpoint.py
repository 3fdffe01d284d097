"""Checkpoints of a training: what the loop needs to go on as if nothing had been."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat
from torch import Tensor, nn

from benchmark.sealed import DamagedError, read_sealed, write_sealed

__all__ = ["MISFITS", "Checkpoint", "Progress"]

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

_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Progress(BaseModel):
    """How far a training has come.

    Attributes:
        epoch: epochs behind.
        stopped: whether patience has run out.
        best_value: the highest mean validation measure, or the epoch where nothing is measured.
        best_epoch: the epoch that it is from.
        curve: the points of the validation curve so far.
        elapsed: see :meth:`benchmark.run_log.RunLog.elapsed`.
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    epoch: Annotated[int, Field(ge=1)]
    stopped: bool
    best_value: FiniteFloat
    best_epoch: Annotated[int, Field(ge=1)]
    curve: list[dict[str, int | FiniteFloat]]
    elapsed: Annotated[list[tuple[_Seconds, _Seconds]], Field(min_length=1)]


@dataclass(frozen=True)
class Checkpoint:
    """A training at the end of an epoch.

    Attributes:
        progress: how far it has come.
        weights: of the module, by name.
        best: its best weights so far, likewise.
        optimiser: the state of the optimiser.
    """

    progress: Progress
    weights: Mapping[str, Tensor]
    best: Mapping[str, Tensor]
    optimiser: dict[str, Any]

    def write(self, file: Path, owner: str) -> None:
        """Write it, sealed for its owner.

        Raises:
            InputError: it cannot be written.
        """
        content = BytesIO()
        torch.save(
            {
                "progress": self.progress.model_dump(),
                "weights": dict(self.weights),
                "best": dict(self.best),
                "optimiser": self.optimiser,
            },
            content,
        )
        write_sealed(file, content.getbuffer(), owner)

    @classmethod
    def read(
        cls, file: Path, owner: str, device: str, module: nn.Module, epochs: int
    ) -> Checkpoint:
        """Read what was written for the same owner. Nothing in the file can be executed.

        Args:
            file: the file.
            owner: whom it was written for.
            device: where its tensors go.
            module: what its weights have to fit.
            epochs: how many there are at most.

        Raises:
            DamagedError: the file is not what was written, or it fits no such training.
            InputError: it cannot be read.
        """
        content = BytesIO(read_sealed(file, owner))
        try:
            # Tensors and plain values only.
            state = torch.load(content, weights_only=True, map_location=device)
            progress = Progress.model_validate(state["progress"])
            if not progress.best_epoch <= progress.epoch <= epochs:
                raise ValueError(f"epoch {progress.epoch} of {epochs}")
            for weights in (state["weights"], state["best"]):
                _check_fit(weights, module)
            return cls(progress, state["weights"], state["best"], state["optimiser"])
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
