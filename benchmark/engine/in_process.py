"""The engine that does works where it is: nothing is pickled, and progress is seen as it comes."""

from __future__ import annotations

import time
from pathlib import Path

from benchmark.engine.attempts import here
from benchmark.engine.engine import Engine, News, Watch
from benchmark.engine.work import Ended, Work
from benchmark.errors import BenchmarkError

__all__ = ["InProcess"]


class InProcess(Engine):
    """Does one work after another in this process; the value of a failed one is its error."""

    def __init__(self, watch: Watch = lambda news: None) -> None:
        super().__init__(Path(), 1, watch)
        self._waiting: Work | None = None

    def close(self) -> None:
        """Do nothing, as nothing is at work."""

    def room(self) -> int:
        """Return 1."""
        return 1

    def _start(self, work: Work, attempt: int) -> None:
        self._waiting = work

    def _next(self, patience: float) -> Ended | None:
        if self._waiting is None:
            time.sleep(patience)
            return None
        work, self._waiting = self._waiting, None
        self._watch(News(work.key, "started", here()))
        begun = time.monotonic()
        try:
            value = work.call(*work.arguments)
        except BenchmarkError as error:
            return Ended(work.key, "failed", error, str(error), time.monotonic() - begun, here())
        return Ended(work.key, "done", value, "", time.monotonic() - begun, here())
