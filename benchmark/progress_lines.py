"""Progress as plain lines with the time, for logs: where stderr is no terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from benchmark.remarks import remark

__all__ = ["ProgressLines", "timed"]

SOON = 2.0
"""Seconds after which a step is worth a line; work that is done sooner tells nothing."""
NEWS = 10.0
"""Seconds between two lines that tell of validations."""
EVERY = 30.0
"""Seconds after which there is a line even if nothing happened."""


def timed(line: str) -> str:
    """Return a line with the time of day in front."""
    return f"{time.strftime('%H:%M:%S')} {line}"


class ProgressLines:
    """Tells which steps are at work, inside one another, and how far they are.

    A line comes once a step has lasted :data:`SOON`, with what is worth knowing, and after
    :data:`EVERY` at the latest: a thread sees to that, so that it holds while a step computes.
    """

    def __init__(self, title: str = "", quiet: bool = False) -> None:
        self._start = f"{title}: " if title else ""
        self._quiet = quiet
        self._steps: list[str] = []
        self._notes: list[str] = []
        self._announced: set[str] = set()
        self._entered = self._told = time.monotonic()
        self._news_told = -NEWS
        self._news = ""
        self._end = Event()

    def tell(self, text: str) -> None:
        """Write a line at once."""
        if not (self._quiet or sys.stderr.isatty()):
            self._told = time.monotonic()
            remark(timed(f"{self._start}{text}"))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Tell of a step while it is at work."""
        self._open(name)
        begun = time.monotonic()
        try:
            yield
            path, seconds = self._path(), time.monotonic() - begun
            if path in self._announced and seconds >= SOON:
                self.tell(f"{path}: done in {seconds:.0f} s")
        finally:
            self._close()

    def note(self, text: str) -> None:
        """Keep how far the innermost step is, for the next line."""
        if self._notes:
            self._notes[-1] = text

    def news(self, text: str) -> None:
        """Tell of a measurement, unless the last one is too near; then the next line has it."""
        self._news = text
        if time.monotonic() - self._news_told >= NEWS:
            self._news_told = time.monotonic()
            self.tell(": ".join(filter(None, (self._path(), text))))

    def _open(self, name: str) -> None:
        self._steps.append(name)
        self._notes.append("")
        self._entered = time.monotonic()
        if len(self._steps) == 1:
            self._told, self._end = time.monotonic(), Event()
            if not self._quiet:
                Thread(target=self._watch, args=(self._end,), daemon=True).start()

    def _close(self) -> None:
        self._steps.pop()
        self._notes.pop()
        self._entered = time.monotonic()
        if not self._steps:
            self._end.set()

    def _watch(self, end: Event) -> None:
        while not end.wait(SOON / 4):
            now, path = time.monotonic(), self._path()
            new = path not in self._announced and now - self._entered >= SOON
            if path and (new or now - self._told >= EVERY):
                self._announced.add(path)
                self.tell(self._state(path))

    def _path(self) -> str:
        """Return the names of the open steps; a bar is often called like its phase."""
        steps = self._steps.copy()
        pairs = zip(steps, ["", *steps], strict=False)
        return ": ".join(name for name, before in pairs if name != before)

    def _state(self, path: str) -> str:
        note = next((note for note in reversed(self._notes.copy()) if note), "")
        latest = f"; validated: {self._news}" if self._news else ""
        return f"{path} {note}".rstrip() + latest
