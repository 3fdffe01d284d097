"""A small training that tests of the training loop and of its checkpoints look at."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmark.budget import Budget
from benchmark.data.requests import Task
from benchmark.learning.training_loop import TrainingLoop
from benchmark.model import TrainingContext, Validated
from benchmark.processes import ALONE, Processes
from benchmark.run_log import RunLog

__all__ = ["IDENTITY", "RATE", "STEPS", "Training", "assert_equal"]

STEPS = 12
RATE = 0.1
IDENTITY = "quick-s1-0123456789ab"


@dataclasses.dataclass
class Training:
    """Trains a small network on noise, with dropout and Adam.

    ``values`` are what validation measures, by the number of the validation (the last one stays).
    """

    checkpoints: Path | None
    values: list[float] | None = None
    budget: Budget = dataclasses.field(
        default_factory=lambda: Budget(
            minutes=0.0, steps=STEPS, warm_up=2, decay=0.5, validate_every=2, patience=STEPS
        )
    )
    batch_count: int = 5
    longer: int = 0
    seed: int = 1
    stop_in: int | None = None
    identity: str = IDENTITY
    processes: Processes = ALONE
    share: float = 1.0

    def __post_init__(self) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            self.module = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5), nn.Linear(3, 1))
        self.optimiser: torch.optim.Optimizer = torch.optim.Adam(self.module.parameters(), lr=RATE)
        self.run_log = RunLog(quiet=True)
        self.trained: list[tuple[int, int]] = []
        """The passes and batches that steps were taken on."""
        self.rates: list[float] = []
        self.noise: list[float] = []
        self.begun: list[dict[str, Tensor]] = []
        """The weights before each step."""
        self.seen: list[dict[str, Tensor]] = []
        """The weights at each validation."""
        self.watched: list[Validated] = []

    def run(self) -> dict[str, Any]:
        context = TrainingContext(
            (Task.REC,),
            self.seed,
            "cpu",
            self.run_log,
            self.checkpoints,
            identity=self.identity,
            processes=self.processes,
            watch=self.watched.append,
        )
        loop = TrainingLoop("net", self.module, self, context, self.budget, RATE, share=self.share)
        return loop.run(self._measure)

    def batches(self, epoch: int) -> list[tuple[int, int]]:
        return [(epoch, number) for number in range(self.batch_count + self.longer * epoch)]

    def step(self, batch: tuple[int, int], rng: np.random.Generator) -> float:
        assert self.module.training
        if self.stop_in is not None and len(self.trained) == self.stop_in:
            raise KeyboardInterrupt
        self.trained.append(batch)
        self.begun.append(self.weights())
        self.rates.append(self.optimiser.param_groups[0]["lr"])
        drawn = torch.randn(16, 4)
        self.noise.append(float(drawn[0, 0]))
        wanted = torch.as_tensor(rng.normal(size=(16, 1)), dtype=torch.float32)
        loss = (self.module(drawn) - wanted).square().mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    def _measure(self) -> dict[str, float]:
        assert not self.module.training
        self.seen.append(self.weights())
        if self.values is None:
            return {}
        return {"rec": self.values[min(len(self.run_log.curve), len(self.values) - 1)]}

    def weights(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.module.state_dict().items()}

    def curve(self) -> list[dict[str, float]]:
        return [{k: v for k, v in p.items() if k != "seconds"} for p in self.run_log.curve]

    def steps(self) -> list[int]:
        """The steps that were validated."""
        return [int(point["step"]) for point in self.run_log.curve]


def assert_equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert torch.equal(value, b[name]), name
