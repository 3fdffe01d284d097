"""The progress of a sweep on stderr: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from benchmark.cli.output import progress
from benchmark.names import as_name
from benchmark.plain_text import plain

if TYPE_CHECKING:
    from benchmark.engine.engine import Engine, News
    from benchmark.sweeping.sweep import Line

__all__ = ["SweepProgress"]

_TAIL = 2048
"""Bytes at the end of a log that are read for its last line."""


class SweepProgress:
    """Shows what is at work, and tells what has ended.

    Args:
        logs: the folder of the works' logs.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._lock = threading.Lock()
        self._running: dict[str, tuple[float, str]] = {}
        self._ended: Counter[str] = Counter()
        self._engine: Engine | None = None
        self._begun = time.monotonic()
        self._live: Live | None = None

    def __enter__(self) -> SweepProgress:
        if sys.stderr.isatty():
            console = Console(stderr=True)
            self._live = Live(
                get_renderable=self._table, console=console, refresh_per_second=2, transient=True
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def follow(self, engine: Engine) -> None:
        """Show how many works of an engine are left."""
        self._engine = engine

    def tell(self, line: str) -> None:
        """Tell something beside the works."""
        progress(line)

    def hear(self, news: News) -> None:
        """Take news of a work that is not over."""
        with self._lock:
            if news.state == "started":
                self._running[news.key] = time.monotonic(), news.text
            else:
                self._running.pop(news.key, None)
        if news.state == "started" and self._live is None:
            progress(f"{news.key}: started on {news.text}")
        elif news.state != "started":
            again = "is begun again" if news.state == "killed" else "waits and is begun again"
            progress(f"{news.key}: {news.text}; it {again}")

    def ended(self, line: Line) -> None:
        """Take what came of a work."""
        running = self._engine.running() if self._engine is not None else frozenset()
        with self._lock:
            self._ended[line.state] += line.kind == "run"
            for key in self._running.keys() - running:
                del self._running[key]
        if line.failure is not None:
            log = f"; log: {line.log}" if line.log is not None else ""
            progress(f"{line.title}: failed: {line.failure}{log}")
        elif line.state == "done":
            progress(f"{line.title}: done in {line.seconds:.1f} s, {self._left()} left")

    def _left(self) -> int:
        return self._engine.left() if self._engine is not None else 0

    def _table(self) -> Group:
        with self._lock:
            running, ended = dict(self._running), dict(self._ended)
        told = ", ".join(f"{number} {state}" for state, number in sorted(ended.items()) if number)
        minutes, seconds = divmod(int(time.monotonic() - self._begun), 60)
        head = f"runs: {told or 'none yet'}; {self._left()} works left; {minutes}:{seconds:02d}"
        table = Table(expand=True)
        for name in ("at work", "where", "since", "last line of its log"):
            table.add_column(name, overflow="fold")
        for key, (since, where) in sorted(running.items()):
            passed = f"{time.monotonic() - since:.0f} s"
            table.add_row(Text(plain(key)), Text(plain(where)), passed, Text(self._last(key)))
        return Group(Text(head), table)

    def _last(self, key: str) -> str:
        """Return the last line of a log, if this machine sees it."""
        with suppress(OSError), (self._logs / f"{as_name(key)}.log").open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL))
            lines = file.read().decode("utf-8", "replace").splitlines()
            return plain(lines[-1], 100) if lines else ""
        return ""
