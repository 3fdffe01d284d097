"""``doctor``: what is installed, what is missing, where things lie, and how fast the machine is."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Literal

import typer
from rich.table import Table

from benchmark.cli.output import show_json, show_table
from benchmark.errors import BenchmarkError, CheckFailedError
from benchmark.version import __version__

__all__ = ["doctor"]

NEEDED = ("torch", "transformers", "sentence-transformers", "pandas", "pyarrow", "scipy", "optuna")
WANTED = {
    "recbole": "its own models, and the files of ml-100k: pip install --no-deps recbole==1.2.1",
    "distributed": "sweeps of several workers: pip install 'search-rec-benchmark[cluster]'",
}
"""What only some commands need, and how to get it."""
SIDE = 512
"""Of the matrices whose product is timed."""


@dataclass(frozen=True)
class Finding:
    """A thing that was looked at.

    Attributes:
        what: it is.
        found: what is there.
        state: ``ok``, ``missing`` what some commands need, or ``wrong``.
        help: what to do.
    """

    what: str
    found: str
    state: Literal["ok", "missing", "wrong"] = "ok"
    help: str = ""


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Tell what is installed and missing, where data lie, and how fast this machine computes.

    The exit status is 1 if something is wrong that every run needs.
    """
    found = [*_python(), *_packages(), *_models(), *_machine(), *_places()]
    if as_json:
        show_json([asdict(each) for each in found])
    else:
        table = Table("", "what", "found")
        for each in found:
            told = f"{each.found}: {each.help}" if each.help else each.found
            table.add_row(each.state, each.what, told)
        show_table(table)
    wrong = [each.what for each in found if each.state == "wrong"]
    if wrong:
        raise CheckFailedError(f"wrong: {', '.join(wrong)}")


def _python() -> Iterator[Finding]:
    yield Finding("search-rec-benchmark", __version__)
    yield Finding("python", f"{platform.python_version()}, {sys.prefix}")


def _packages() -> Iterator[Finding]:
    for name in NEEDED:
        have = _version(name)
        state: Literal["ok", "wrong"] = "wrong" if have is None else "ok"
        yield Finding(name, have or "not installed", state, "" if have else f"pip install {name}")
    for name, told in WANTED.items():
        have = _version(name)
        missing: Literal["ok", "missing"] = "missing" if have is None else "ok"
        yield Finding(name, have or "not installed", missing, "" if have else told)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _models() -> Iterator[Finding]:
    from benchmark.registry import available, offers

    yield Finding("models", f"{len(available())}")
    for package, fault in offers().faults.items():
        yield Finding(package, "its models are left out", "missing", fault)


def _machine() -> Iterator[Finding]:
    from benchmark.running.environment import cpu_name
    from benchmark.running.memory import host_room

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("processor", f"{cpu_name() or platform.machine()}, {cores} cores")
    room = host_room()
    yield Finding("memory", f"{room.total / 2**30:.1f} GiB may be taken ({room.where})")
    if _version("torch") is None:
        return
    import torch

    yield Finding("threads", f"{torch.get_num_threads()} (OMP_NUM_THREADS)")
    yield Finding("speed", f"{_speed():.0f} GFLOP/s, products of {SIDE} x {SIDE} float32")
    gpu = torch.cuda.is_available()
    yield Finding("GPU", torch.cuda.get_device_name() if gpu else "none, models use the processor")


def _speed() -> float:
    """Return thousand millions of operations a second, the best of a few products."""
    import torch

    matrix = torch.ones(SIDE, SIDE)
    best = min(_seconds(matrix) for _ in range(5))
    return 2 * SIDE**3 / best / 1e9


def _seconds(matrix: object) -> float:
    begun = time.perf_counter()
    matrix @ matrix  # type: ignore[operator]
    return time.perf_counter() - begun


def _places() -> Iterator[Finding]:
    from benchmark.data.cache import cache_folder
    from benchmark.data.locate import card_names, data_folder, data_root, find_card

    cache = cache_folder(None)
    yield Finding("prepared data", f"{cache}{'' if cache.is_dir() else ' (none yet)'}")
    root = data_root()
    yield Finding("data", f"{root}{'' if root.is_dir() else ' (no such folder yet)'}")
    there = []
    for name in sorted(card_names()):
        found = find_card(name)
        try:
            if found is not None:
                data_folder(*found)
                there.append(name)
        except BenchmarkError:
            continue
    state: Literal["ok", "missing"] = "ok" if there else "missing"
    told = "" if there else "python -m benchmark data prepare NAME tells how to get one"
    yield Finding("data sets here", ", ".join(there) or "none", state, told)
