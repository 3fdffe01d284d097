"""Run log: what a run notes about itself while it works, and the progress that a person sees.

Time is told twice: by the clock, and as what the processors of this process spent. The first is
what a person waits for; the second is nearly the same on a machine that does other work too.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

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
from benchmark.tracking import Trackers

__all__ = ["Phase", "RunLog", "Spent", "Ticker"]


class Spent(NamedTuple):
    """Time that something took, or two readings of clocks whose difference is such a time.

    Attributes:
        seconds: by the clock.
        processor_seconds: of all threads of this process together.
    """

    seconds: float
    processor_seconds: float

    @classmethod
    def now(cls) -> Spent:
        """Read both clocks."""
        return cls(time.monotonic(), time.process_time())

    def since(self, begun: Spent) -> Spent:
        """Return the time from an earlier reading to this one, or a reading that much earlier."""
        return Spent(self.seconds - begun.seconds, self.processor_seconds - begun.processor_seconds)


@dataclass(frozen=True)
class Phase:
    """One finished phase.

    Attributes:
        name: of it, behind those that it was part of.
        seconds: by the clock.
        processor_seconds: of all threads of the process.
        memory_mib: of the process at its end.
    """

    name: str
    seconds: float
    processor_seconds: float
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
        trackers: who else is told of validations.
    """

    phases: list[Phase] = field(default_factory=list)
    curve: list[dict[str, float]] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    quiet: bool = False
    title: str = ""
    trackers: Trackers = field(default_factory=Trackers)
    _open: list[tuple[str, Spent]] = field(default_factory=list)
    _started: Spent = field(default_factory=Spent.now)

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
        self._open.append((name, Spent.now()))
        try:
            with self._lines.step(name):
                yield
        finally:
            path = "/".join(name for name, _ in self._open)
            _, started = self._open.pop()
            memory = psutil.Process().memory_info().rss / 2**20
            self.phases.append(Phase(path, *Spent.now().since(started), memory))

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
        seconds = Spent.now().since(self._started).seconds
        self.curve.append({"seconds": round(seconds, 3), **values})
        self.trackers.validated(self.curve[-1])
        self._lines.news(_listed(values))

    def trained(self, name: str, told: Mapping[str, object]) -> None:
        """Note how the training of this name went, among the facts."""
        before = self.facts.get("trainings")
        self.facts["trainings"] = {**(before if isinstance(before, dict) else {}), name: dict(told)}

    def elapsed(self) -> list[Spent]:
        """Return the time since the run began, then that since each open phase did."""
        now = Spent.now()
        return [now.since(begun) for begun in (self._started, *(each for _, each in self._open))]

    def charge(self, spent: Spent) -> None:
        """Count time that another run spent on a step of this one, in each open phase."""
        self._started = self._started.since(spent)
        self._open = [(name, started.since(spent)) for name, started in self._open]

    def take_up(self, curve: list[dict[str, float]], elapsed: Sequence[Spent]) -> None:
        """Go on where an interrupted run stood, so that its time counts too.

        Args:
            curve: the points that it had.
            elapsed: what :meth:`elapsed` was then, inside the same phases.

        Raises:
            ValueError: it is of other phases.
        """
        now, names = Spent.now(), [name for name, _ in self._open]
        self._started, *begun = (now.since(each) for each in elapsed)
        self._open = list(zip(names, begun, strict=True))
        self.curve[:] = curve
        last = {name: value for name, value in (curve or [{}])[-1].items() if name != "seconds"}
        path = ": ".join(names)
        self._lines.tell(f"{path}: resumed from a checkpoint, {_listed(last)}".rstrip(", "))


def _listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())
