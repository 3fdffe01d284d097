"""What a measurement reports."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module
from importlib.metadata import version
from typing import Any

from benchmark.running.environment import cpu_name

__all__ = ["Measurement", "import_peer"]


@dataclass(frozen=True)
class Measurement:
    """Times of ours and of a peer for the same work.

    Attributes:
        name: of the measurement.
        ours_s: seconds that ours took.
        peer: the peer's name and version.
        peer_s: seconds that the peer took.
        agree: whether the answers of both agree, checked in the same run.
        details: figures that explain the ratio.
    """

    name: str
    ours_s: float
    peer: str
    peer_s: float
    agree: bool
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready values, with ``ratio`` (peer over ours)."""
        import torch

        ratio = self.peer_s / self.ours_s
        environment = {
            "python": platform.python_version(),
            "platform": platform.platform(),
            "cpu": cpu_name(),
            "cpus": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "torch": version("torch"),
        }
        return {**asdict(self), "ratio": ratio, "environment": environment}


def import_peer(module: str) -> Any:
    """Import a peer; where it is missing the command ends and says how to install it."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        install = "pip install -c constraints.txt -e '.[perf]'"
        raise SystemExit(f"{error.name} is not installed; install it by: {install}") from error
