"""What a run record tells of the rules that held, the installation and the machine."""

from __future__ import annotations

import os
import platform
import resource
import sys
from contextlib import suppress
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmark.data.dataset import Dataset
from benchmark.running.identity import harness_digest
from benchmark.version import __version__

__all__ = ["circumstances", "cpu_name", "environment", "forget_peak", "peak_memory_mib"]

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")

_RECORDED_PACKAGES = (
    "torch",
    "transformers",
    "sentence-transformers",
    "recbole",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "scikit-learn",
    "bm25s",
    "tokenizers",
)


def circumstances(dataset: Dataset) -> dict[str, Any]:
    """Return what ``run.json`` says of the rules, our version and the time.

    ``negatives`` is what a sampled list should hold; ``repeated`` is what those rules took out of
    the requests, by task; ``harness`` is a digest of the code that is the same for all models.
    """
    about = dataset.about
    tests = [(t, e.repeated) for (part, t), e in dataset.evaluation.items() if part == "test"]
    return {
        "split": about.split,
        "leakage": about.leakage,
        "seen": about.seen,
        "negatives": about.negatives,
        "repeated": {
            str(t): {"targets": each.targets, "requests": each.requests} for t, each in tests
        },
        "version": __version__,
        "harness": harness_digest(),
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def environment(device: str, processes: int = 1) -> dict[str, Any]:
    """Return versions, processor and device, ``environment`` of ``run.json``.

    How many processes made the run decides its outcome no more than the number of threads does.
    """
    torch = sys.modules.get("torch")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "cpus": os.cpu_count(),
        "processes": processes,
        "threads": torch.get_num_threads() if torch is not None else 1,
        "device": torch.cuda.get_device_name() if torch is not None and device == "cuda" else "cpu",
        "packages": {name: _version(name) for name in _RECORDED_PACKAGES},
    }


def forget_peak() -> None:
    """Let :func:`peak_memory_mib` tell of what comes from now on, where the system can do that.

    Of several runs of one process each then tells its own peak, and not that of the largest before.
    """
    with suppress(OSError):
        _CLEAR.write_text("5", encoding="ascii")  # proc(5): resets the high-water mark


def peak_memory_mib() -> float:
    """Return the most memory that this process has held, since :func:`forget_peak` if that worked.

    On Linux ``ru_maxrss`` of a process that another one started counts what that one held.
    """
    with suppress(OSError):
        for line in _STATUS.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def cpu_name() -> str:
    """Return what the processor calls itself; an empty string where nothing tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
