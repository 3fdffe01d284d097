"""Flip single bits of everything that is stored, and see that none goes unnoticed.

``python -m tests.bit_flips`` flips 300 of each kind of file, which takes a few minutes; the suite
flips a few.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmark.budget import Budget
from benchmark.data.dataset import Dataset
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.errors import BenchmarkError
from benchmark.exchange.export import stored_model
from benchmark.learning.training_loop import TrainingLoop
from benchmark.model import TrainingContext
from benchmark.registry import find
from benchmark.results.record import read_run
from benchmark.running.plan import Experiment
from benchmark.running.runner import run_model
from benchmark.tuning.study import SearchOptions, find_study, tune
from tests.support import write_tiny

__all__ = ["Figures", "Stored", "flip_bits", "kinds_of_files"]

Read = Callable[[Callable[[str], object]], object]


@dataclass(frozen=True)
class Stored:
    """A stored file and who reads it.

    Attributes:
        kind: what it is.
        file: where it lies.
        read: returns all that is made of the file, comparable; is given what takes remarks.
        start: first byte that counts as this kind.
        stop: the byte behind the last; 0 for the file's end.
    """

    kind: str
    file: Path
    read: Read
    start: int = 0
    stop: int = 0


@dataclass
class Figures:
    """What became of the flips.

    Attributes:
        refused: told in one line that names the place.
        remade: told, and made anew with the same outcome.
        harmless: the outcome is the same.
        silent: another outcome without a word, or an error that is no line; each with its place.
    """

    refused: int = 0
    remade: int = 0
    harmless: int = 0
    silent: list[str] = field(default_factory=list)


def flip_bits(stored: Stored, times: int, seed: int) -> Figures:
    """Flip ``times`` random bits, one after the other, and read the file after each."""
    whole, figures = stored.file.read_bytes(), Figures()
    right = stored.read(lambda line: None)
    rng = np.random.default_rng(seed)
    for place in rng.integers(8 * stored.start, 8 * (stored.stop or len(whole)), times).tolist():
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        _put(stored.file, bytes(changed))
        told: list[str] = []
        try:
            found = stored.read(told.append)
        except BenchmarkError as error:
            named = str(stored.file.parent) in str(error) and "\n" not in str(error)
            figures.refused += named
            figures.silent += [] if named else [f"bit {place}: {error}"]
        except Exception as error:
            figures.silent.append(f"bit {place}: {type(error).__name__}: {error}")
        else:
            figures.silent += [] if found == right else [f"bit {place}: another outcome"]
            figures.remade += found == right and bool(told)
            figures.harmless += found == right and not told
        _put(stored.file, whole)
    return figures


def _put(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def kinds_of_files(place: Path) -> list[Stored]:
    """Store something of each kind below an empty folder."""
    source = write_tiny(place / "tiny")
    data = load_dataset(source, cache=place / "cache")
    return [
        *_record(data, place / "results"),
        *_cache(source, place / "cache"),
        _study(data, place / "searched"),
        _checkpoint(place / "checkpoints"),
        _kept(place / "kept"),
    ]


def _experiment() -> Experiment:
    entry = find("bm25")
    return Experiment(entry, entry.load().Settings(), "standard", (Task.SEARCH,))


def _record(data: Dataset, results: Path) -> list[Stored]:
    run = run_model(_experiment(), data, ("full", "sampled"), 1, "cpu", results, False).record
    asked = data.evaluation["test", Task.SEARCH].requests

    def read(tell: Callable[[str], object]) -> object:
        record = read_run(run.folder)
        top = record.top()
        scores = stored_model(record).score(asked)
        answers = record.requests().to_csv(), None if top is None else top.to_csv()
        return record.info, answers, scores.tobytes()

    files = [*run.folder.iterdir(), *run.folder.parent.parent.glob("*.parquet")]
    return [Stored(f"record: {_short(file.name)}", file, read) for file in sorted(files)]


def _short(name: str) -> str:
    return "shared table" if name.startswith("requests-") else name


def _cache(source: Path, cache: Path) -> list[Stored]:
    (entry,) = (cache / "data").iterdir()

    def read(tell: Callable[[str], object]) -> object:
        told: list[str] = []
        data = load_dataset(source, cache=cache, notify=told.append)
        for line in told:
            if "damaged" in line:
                tell(line)
        tables = (data.items.ids, data.items.titles, data.items.texts, data.queries.texts)
        return [list(each) for each in (data.users, *tables)], _arrays_of(data)

    kinds = {
        "cache: log": "log.time.npy",
        "cache: train": "train.npy",
        "cache: requests": "test.rec.relevant.item.npy",
        "cache: texts": "items.arrow",
        "cache: manifest": "manifest.json",
        "candidates": "test.search.sampled.items.npy",
    }
    return [Stored(kind, entry / name, read) for kind, name in kinds.items()]


def _arrays_of(data: Dataset) -> str:
    total = hashlib.sha256()

    def take(array: NDArray[Any]) -> None:
        total.update(f"{array.dtype}{array.shape}".encode())
        total.update(array.tobytes())

    for log in (data.log, data.train.log):
        for name in (each.name for each in fields(log)):
            take(getattr(log, name))
    for asked in data.evaluation.values():
        take(asked.requests.query)
        for array in astuple(asked.relevant):
            take(array)
        for lists in asked.lists.values():
            take(lists.offsets)
            take(lists.items)
    return total.hexdigest()


def _study(data: Dataset, results: Path) -> Stored:
    plan = _experiment()

    def read(tell: Callable[[str], object]) -> object:
        (study,) = tune([plan], data, SearchOptions(3, device="cpu"), results, lambda line: None)
        (_,) = results.rglob("study.json")  # code that changed meanwhile would make another
        return study, find_study(results, plan, data, tell)

    read(print)
    (file,) = results.rglob("study.json")
    return Stored("study", file, read)


def _checkpoint(folder: Path) -> Stored:
    _train(folder, 2)
    whole = (folder / "net.pt").read_bytes()

    def read(tell: Callable[[str], object]) -> object:
        outcome = _train(folder, 4)
        (folder / "net.pt").write_bytes(whole)
        return outcome

    return Stored("checkpoint", folder / "net.pt", read)


def _train(folder: Path, epochs: int) -> tuple[int, list[float]]:
    """Train a small network to the end or, at the start of a pass, until it is interrupted."""
    trainer = _Small(epochs)
    context = TrainingContext((Task.REC,), 1, checkpoints=folder, identity="quick-s1-run")
    budget, best = Budget(minutes=0.0, steps=4, decay=0.0, validate_every=1), 0
    with suppress(KeyboardInterrupt):
        loop = TrainingLoop("net", trainer.net, trainer, context, budget, 0.01)
        best = loop.run(dict)["best_step"]
    weights = [weight.detach().flatten() for weight in trainer.net.parameters()]
    return best, torch.cat(weights).tolist()


class _Small:
    """Takes the steps of a small network, one in a pass, until it is interrupted."""

    def __init__(self, steps: int) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.net = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 1))
        self.optimiser: torch.optim.Optimizer = torch.optim.Adam(self.net.parameters(), lr=0.01)
        self.steps = steps

    def batches(self, epoch: int) -> list[int]:
        return [epoch]

    def step(self, batch: int, rng: np.random.Generator) -> float:
        if batch == self.steps:
            raise KeyboardInterrupt
        loss = (self.net(torch.randn(16, 4)) - 1).square().mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())


def _kept(folder: Path) -> Stored:
    context = TrainingContext((Task.REC,), 1, checkpoints=folder, identity="quick-s1-run")
    vectors = np.random.default_rng(0).random((40, 8), dtype=np.float32)
    context.kept("vectors", lambda: {"items": vectors})

    def again() -> NoReturn:
        raise AssertionError("made again without a word")

    def read(tell: Callable[[str], object]) -> object:
        return {name: array.tolist() for name, array in context.kept("vectors", again).items()}

    return Stored("kept arrays", folder / "vectors.safetensors", read)


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    silent = 0
    with tempfile.TemporaryDirectory() as place:
        for stored in kinds_of_files(Path(place)):
            found = flip_bits(stored, asked.times, asked.seed)
            silent += len(found.silent)
            print(
                f"{stored.kind}: {found.refused} refused, {found.remade} made anew,"
                f" {found.harmless} harmless, {len(found.silent)} silent",
                *found.silent[:3],
                flush=True,
            )
    return 1 if silent else 0


if __name__ == "__main__":
    sys.exit(_main())
