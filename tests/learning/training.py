"""A small training that tests of the epoch loop and of its checkpoints look at."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmark.data.requests import Task
from benchmark.learning.epoch_loop import EpochLoop
from benchmark.model import TrainingContext
from benchmark.processes import ALONE, Processes
from benchmark.run_log import RunLog

__all__ = ["EPOCHS", "IDENTITY", "Training", "assert_equal"]

EPOCHS = 7
IDENTITY = "quick-s1-0123456789ab"


@dataclasses.dataclass
class Training:
    """Trains a small network on noise, with dropout and Adam; ``values`` are its validations."""

    checkpoints: Path | None
    values: list[float] | None = None
    epochs: int = EPOCHS
    validate_every: int = 1
    patience: int = EPOCHS
    seed: int = 1
    stop_in: int | None = None
    identity: str = IDENTITY
    processes: Processes = ALONE

    def __post_init__(self) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            self.module = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5), nn.Linear(3, 1))
        self.optimiser = torch.optim.Adam(self.module.parameters(), lr=0.1)
        self.run_log = RunLog(quiet=True)
        self.epoch = 0
        self.trained: list[int] = []
        self.seen: dict[int, dict[str, Tensor]] = {}

    def run(self) -> int:
        context = TrainingContext(
            (Task.REC,),
            self.seed,
            "cpu",
            self.run_log,
            self.checkpoints,
            identity=self.identity,
            processes=self.processes,
        )
        loop = EpochLoop(
            "net",
            self.module,
            self.optimiser,
            context,
            self.epochs,
            self.validate_every,
            self.patience,
        )
        return loop.run(self._train, self._measure)

    def _train(self, epoch: int) -> float:
        assert self.module.training
        if epoch == self.stop_in:
            raise KeyboardInterrupt
        self.trained.append(epoch)
        self.epoch = epoch + 1
        loss = (self.module(torch.randn(16, 4)) - torch.randn(16, 1)).square().mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    def _measure(self) -> dict[str, float]:
        assert not self.module.training
        self.seen[self.epoch] = self.weights()
        if self.values is None:
            return {}
        return {"rec": self.values[self.epoch - 1]}

    def weights(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.module.state_dict().items()}

    def curve(self) -> list[dict[str, float]]:
        return [{k: v for k, v in p.items() if k != "seconds"} for p in self.run_log.curve]


def assert_equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert torch.equal(value, b[name]), name
