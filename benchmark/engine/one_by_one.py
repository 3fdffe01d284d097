"""The engine that needs nothing beside Python: one work after another, on this machine."""

from __future__ import annotations

import time
from pathlib import Path

from benchmark.engine.attempts import Parcel, Place, here
from benchmark.engine.engine import ATTEMPTS, Engine, News, Watch
from benchmark.engine.work import Ended, Work

__all__ = ["OneByOne"]


class OneByOne(Engine):
    """Does one work at a time; arguments as of :class:`Engine`."""

    def __init__(
        self, logs: Path, attempts: int = ATTEMPTS, watch: Watch = lambda news: None
    ) -> None:
        super().__init__(logs, attempts, watch)
        self._place = Place({})
        self._waiting: Parcel | None = None

    def close(self) -> None:
        """End the work that is being done, if one is."""
        self._place.close()

    def room(self) -> int:
        """Return 1."""
        return 1

    def _start(self, work: Work, attempt: int) -> None:
        self._waiting = Parcel.of(work, self.log_of(work.key), attempt)

    def _next(self, patience: float) -> Ended | None:
        if self._waiting is None:
            time.sleep(patience)
            return None
        parcel, self._waiting = self._waiting, None
        self._watch(News(parcel.key, "started", here()))
        return self._place.attempt(parcel)
