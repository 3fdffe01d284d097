"""Steps of training that several runs share: each is made once, and counted.

A step has a folder beside those of the other steps of the same runs. Whoever comes first makes it
there, alone; whoever comes later finds it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.errors import InputError
from benchmark.files import writing
from benchmark.locks import locked
from benchmark.run_log import RunLog, Spent

__all__ = ["StepCount", "counts_in", "is_made", "made_once", "step_digest"]

_DONE = "done.json"
_COUNTS = "steps.jsonl"
_FOREVER = -1.0


@dataclass(frozen=True)
class StepCount:
    """How often a shared step was made and used.

    Attributes:
        name: what it makes.
        digest: of whatever decides it.
        made: how often; more than once only where it was lost.
        used: the runs that took it from another.
    """

    name: str
    digest: str
    made: int
    used: int


def step_digest(name: str, decided_by: Sequence[object], seed: int | None, device: str) -> str:
    """Return what tells a step from others on the same data by the same code.

    Args:
        name: what it makes.
        decided_by: whatever else decides its outcome, as JSON values.
        seed: ``None`` where it decides nothing.
        device: ``cpu`` or ``cuda``.
    """
    text = json.dumps([name, seed, device, *decided_by], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def made_once(folder: Path, name: str, by: str, run_log: RunLog) -> Iterator[None]:
    """Be alone with a step's folder, and count that the step was made or used.

    A run that finds the step made is charged the time that it took, as if it had made it itself:
    what a model costs does not depend on the runs around it.

    Args:
        folder: of the step; its name is the step's digest.
        name: what the step makes.
        by: who is at it.
        run_log: of the run.

    Raises:
        InputError: the folder cannot be written to.
    """
    with locked(folder, wait=_FOREVER):
        spent, begun = _spent(folder), Spent.now()
        yield
        if spent is None:
            took = json.dumps(Spent.now().since(begun)._asdict())
            with writing(folder / _DONE) as unfinished:
                unfinished.write_text(took, encoding="utf-8")
        else:
            run_log.charge(spent)
        _note(folder, {"step": name, "digest": folder.name, "made": spent is None, "by": by})


def is_made(common: Path, digest: str) -> bool:
    """Return whether a step stands ready in the folder of all steps."""
    return _spent(common / digest) is not None


def counts_in(common: Path) -> list[StepCount]:
    """Return how often each step was made and used, in the order in which they first were."""
    try:
        lines = (common / _COUNTS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    names: dict[str, str] = {}
    made: dict[str, int] = {}
    used: dict[str, set[str]] = {}
    for line in lines:
        try:
            note: dict[str, Any] = json.loads(line)
        except ValueError:  # half a line, of a machine that stopped
            continue
        digest = note["digest"]
        names.setdefault(digest, note["step"])
        made[digest] = made.get(digest, 0) + bool(note["made"])
        if not note["made"]:
            used.setdefault(digest, set()).add(note["by"])
    return [StepCount(names[d], d, made[d], len(used.get(d, ()))) for d in names]


def _spent(folder: Path) -> Spent | None:
    try:
        told = json.loads((folder / _DONE).read_text(encoding="utf-8"))
        return Spent(*(float(told[name]) for name in Spent._fields))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _note(folder: Path, note: dict[str, object]) -> None:
    """Add a line to what all steps have in common; lines of several processes do not mix."""
    file = folder.parent / _COUNTS
    try:
        place = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        with os.fdopen(place, "wb", buffering=0) as stream:
            stream.write((json.dumps(note) + "\n").encode())
    except OSError as error:
        raise InputError(f"{file}: cannot be written: {error.strerror or error}") from error
