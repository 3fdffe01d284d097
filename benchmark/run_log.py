"""Run log: what a run notes about itself while it works, and the progress that a person sees."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["Phase", "RunLog", "Ticker"]


@dataclass(frozen=True)
class Phase:
    """One finished phase: wall time in seconds, and the process's memory at its end in MiB."""

    name: str
    seconds: float
    memory_mib: float


class Ticker:
    """Advances one progress bar."""

    def __init__(self, progress: Progress, label: str, total: float | None) -> None:
        self._progress = progress
        self._label = label
        self._task = progress.add_task(label, total=total)

    def advance(self, steps: float = 1, note: str = "") -> None:
        """Move on by ``steps``; ``note`` (a loss, a metric) is shown behind the label."""
        label = f"{self._label} {note}" if note else self._label
        self._progress.update(self._task, advance=steps, description=label)

    def reach(self, position: float, note: str = "") -> None:
        """Move to ``position``, for work that is measured in time rather than in steps."""
        label = f"{self._label} {note}" if note else self._label
        self._progress.update(self._task, completed=position, description=label)


@dataclass
class RunLog:
    """Collects phases, the validation curve and facts for the run record.

    Attributes:
        phases: finished phases in order; a phase inside another is named ``outer/inner``.
        curve: one dictionary for each validation, for example
            ``{"seconds": 61.2, "epoch": 3, "rec": 0.051, "search": 0.12}``.
        facts: whatever else a model reports, JSON-ready, by name.
    """

    phases: list[Phase] = field(default_factory=list)
    curve: list[dict[str, float]] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    quiet: bool = False
    _open: list[tuple[str, float]] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase; its entry is written even when it ends in an error."""
        self._open.append((name, time.monotonic()))
        try:
            yield
        finally:
            path = "/".join(name for name, _ in self._open)
            _, started = self._open.pop()
            memory = psutil.Process().memory_info().rss / 2**20
            self.phases.append(Phase(path, time.monotonic() - started, memory))

    @contextmanager
    def progress(self, label: str, total: float | None) -> Iterator[Ticker]:
        """Show a bar with the time left on stderr; nothing is shown when stderr is no terminal."""
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        hidden = self.quiet or not sys.stderr.isatty()
        with Progress(
            *columns, console=Console(stderr=True), disable=hidden, transient=True
        ) as bars:
            yield Ticker(bars, label, total)

    def validated(self, **values: float) -> None:
        """Add a point to the validation curve, stamped with the seconds since the run began."""
        self.curve.append({"seconds": round(time.monotonic() - self._started, 3), **values})

    def elapsed(self) -> list[float]:
        """Return the seconds since the run began, then those since each open phase did."""
        now = time.monotonic()
        return [now - self._started, *(now - started for _, started in self._open)]

    def take_up(self, curve: list[dict[str, float]], elapsed: list[float]) -> None:
        """Go on where an interrupted run stood, so that its time counts too.

        Args:
            curve: the points that it had.
            elapsed: what :meth:`elapsed` was then, inside the same phases.
        """
        self.curve[:] = curve
        now = time.monotonic()
        self._started = now - elapsed[0]
        names = [name for name, _ in self._open]
        self._open = [(n, now - e) for n, e in zip(names, elapsed[1:], strict=True)]
