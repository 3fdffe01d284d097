"""Run log: what a run notes about itself while it works, and the progress that a person sees."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
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

from benchmark import signals
from benchmark.plain_text import plain
from benchmark.progress_lines import ProgressLines

__all__ = ["Phase", "RunLog", "Ticker"]


@dataclass(frozen=True)
class Phase:
    """One finished phase: wall time in seconds, and the process's memory at its end in MiB."""

    name: str
    seconds: float
    memory_mib: float


class Ticker:
    """Advances one progress bar, and the note that stands for it in plain lines.

    Each move is also where a signal is heard that a library has swallowed.
    """

    def __init__(
        self,
        progress: Progress,
        lines: ProgressLines,
        label: str,
        total: float | None,
        unit: str,
    ) -> None:
        self._progress, self._lines = progress, lines
        self._label, self._total, self._unit = label, total, unit
        self._position = 0.0
        self._task = progress.add_task(plain(label), total=total)

    def advance(self, steps: float = 1, note: str = "") -> None:
        """Move on by ``steps``; ``note`` (a loss, a metric) is shown behind the label."""
        self.reach(self._position + steps, note)

    def reach(self, position: float, note: str = "") -> None:
        """Move to ``position``, for work that is measured in time rather than in steps."""
        signals.check()
        self._position = position
        label = plain(f"{self._label} {note}" if note else self._label)
        self._progress.update(self._task, completed=position, description=label)
        total = "" if self._total is None else f"/{self._total:.0f}"
        self._lines.note(
            f"{self._unit} {position:.0f}{total}".lstrip() + (f", {note}" if note else "")
        )


@dataclass
class RunLog:
    """Collects phases, the validation curve and facts for the run record.

    Attributes:
        phases: finished phases in order; a phase inside another is named ``outer/inner``.
        curve: one dictionary for each validation, for example
            ``{"seconds": 61.2, "epoch": 3, "rec": 0.051, "search": 0.12}``.
        facts: whatever else a model reports, JSON-ready, by name.
        quiet: whether nobody is told anything.
        title: what is at work, in front of each plain line.
    """

    phases: list[Phase] = field(default_factory=list)
    curve: list[dict[str, float]] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    quiet: bool = False
    title: str = ""
    _open: list[tuple[str, float]] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._lines = ProgressLines(self.title, self.quiet)

    def apart(self) -> RunLog:
        """Return the log of a step that keeps phases, curve and facts to itself.

        Its progress is shown as part of this one's.
        """
        inner = RunLog(quiet=self.quiet, title=self.title)
        inner._lines = self._lines
        return inner

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase; its entry is written even when it ends in an error."""
        signals.check()
        self._open.append((name, time.monotonic()))
        try:
            with self._lines.step(name):
                yield
        finally:
            path = "/".join(name for name, _ in self._open)
            _, started = self._open.pop()
            memory = psutil.Process().memory_info().rss / 2**20
            self.phases.append(Phase(path, time.monotonic() - started, memory))

    @contextmanager
    def progress(self, label: str, total: float | None, unit: str = "") -> Iterator[Ticker]:
        """Show a bar with the time left on stderr, or plain lines where that is no terminal.

        Args:
            label: what is at work.
            total: steps in all, ``None`` if nobody knows.
            unit: what a step is called in plain lines, such as ``epoch``.
        """
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        hidden = self.quiet or not sys.stderr.isatty()
        with (
            Progress(
                *columns, console=Console(stderr=True), disable=hidden, transient=True
            ) as bars,
            self._lines.step(label),
        ):
            yield Ticker(bars, self._lines, label, total, unit)

    def validated(self, **values: float) -> None:
        """Add a point to the validation curve, stamped with the seconds since the run began."""
        self.curve.append({"seconds": round(time.monotonic() - self._started, 3), **values})
        self._lines.news(_listed(values))

    def elapsed(self) -> list[float]:
        """Return the seconds since the run began, then those since each open phase did."""
        now = time.monotonic()
        return [now - self._started, *(now - started for _, started in self._open)]

    def charge(self, seconds: float) -> None:
        """Count time that another run spent on a step of this one, in each open phase."""
        self._started -= seconds
        self._open = [(name, started - seconds) for name, started in self._open]

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
        last = {name: value for name, value in (curve or [{}])[-1].items() if name != "seconds"}
        path = ": ".join(names)
        self._lines.tell(f"{path}: resumed from a checkpoint, {_listed(last)}".rstrip(", "))


def _listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())
