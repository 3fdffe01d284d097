"""The engine: works wait for those that they stand on, and are tried again where they were killed.

An engine knows nothing of what the works do. Which of them run at a time, and where, is for its
subclasses to say.
"""

from __future__ import annotations

import heapq
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal

from benchmark.engine.work import Ended, Outcome, Work
from benchmark.names import as_name

__all__ = ["ATTEMPTS", "Engine", "News", "Watch"]

ATTEMPTS = 4
"""How often a work is begun whose process is killed, if nobody says otherwise."""
_BUSY = 5.0
"""Seconds after which a work is begun again that somebody else was at."""


@dataclass(frozen=True)
class News:
    """Something that happened to a work before its outcome.

    Attributes:
        key: of the work.
        state: ``started``, ``killed`` (it is tried again) or ``busy`` (it waits for somebody).
        text: where it was started, or why it is not done yet.
    """

    key: str
    state: Literal["started", "killed", "busy"]
    text: str


Watch = Callable[[News], object]
"""Takes news; it may be called from another thread."""


@dataclass
class _Open:
    """A work without an outcome."""

    work: Work
    missing: set[str]
    attempts: int = 0
    followers: list[str] = field(default_factory=list)


class Engine(ABC):
    """Carries out works, ``with OneByOne(logs) as engine: …``.

    Args:
        logs: the folder of the works' logs, one file for each key.
        attempts: how often a work is begun, at most, whose process is killed.
        watch: is told what happens to works before their outcomes.
    """

    def __init__(
        self, logs: Path, attempts: int = ATTEMPTS, watch: Watch = lambda news: None
    ) -> None:
        self.logs = logs.absolute()
        self._attempts, self._watch = attempts, watch
        self._open: dict[str, _Open] = {}
        self._failed: dict[str, bool] = {}
        self._ready: deque[str] = deque()
        self._later: list[tuple[float, str]] = []
        self._running: set[str] = set()
        self._told: deque[Outcome] = deque()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """End whatever is still at work, and let go of processes and connections."""

    def submit(self, work: Work) -> None:
        """Take a work, which is begun while :meth:`finished` is iterated.

        Raises:
            ValueError: there was one of that key, or none of a key that it stands on.
        """
        if work.key in self._open or work.key in self._failed:
            raise ValueError(f"{work.key}: submitted twice")
        unknown = [k for k in work.after if k not in self._open and k not in self._failed]
        if unknown:
            raise ValueError(f"{work.key}: stands on {unknown[0]}, which was not submitted")
        self._open[work.key] = entry = _Open(work, {k for k in work.after if k in self._open})
        for key in entry.missing:
            self._open[key].followers.append(work.key)
        cause = next((key for key in work.after if self._failed.get(key)), None)
        if cause is not None:
            self._give_up(work.key, cause)
        elif not entry.missing:
            self._ready.append(work.key)

    def finished(self, supply: Callable[[], object] = lambda: None) -> Iterator[Outcome]:
        """Yield the outcomes as they come, until no work is left; more may be submitted meanwhile.

        Args:
            supply: is called again and again, and may submit works where there are places left.

        Raises:
            BenchmarkError: nobody is there to do them any more.
        """
        supply()
        while self._open or self._told:
            while self._told:
                yield self._told.popleft()
            supply()
            self._wake()
            while self._ready and len(self._running) < self.room():
                self._begin(self._ready.popleft())
            if self._open and not self._told:
                ended = self._next(self._patience())
                if ended is not None:
                    self._judge(ended)

    def log_of(self, key: str) -> Path:
        """Return the log of a work."""
        return self.logs / f"{as_name(key)}.log"

    def left(self) -> int:
        """Return how many works have no outcome yet."""
        return len(self._open)

    def running(self) -> frozenset[str]:
        """Return the keys of the works that are begun and not over."""
        return frozenset(self._running)

    @abstractmethod
    def room(self) -> int:
        """Return how many works may be begun and not ended."""

    def places(self) -> int:
        """Return how many works can be done at a time, as far as that is known now."""
        return self.room()

    @abstractmethod
    def _start(self, work: Work, attempt: int) -> None:
        """Begin a work; its end comes out of :meth:`_next`."""

    @abstractmethod
    def _next(self, patience: float) -> Ended | None:
        """Return the end of an attempt; ``None`` if none comes within ``patience`` seconds."""

    def _begin(self, key: str) -> None:
        entry = self._open[key]
        self._running.add(key)
        self._start(entry.work, entry.attempts + 1)

    def _wake(self) -> None:
        """Make those works ready whose time has come."""
        while self._later and self._later[0][0] <= time.monotonic():
            self._ready.append(heapq.heappop(self._later)[1])

    def _patience(self) -> float:
        soon = self._later[0][0] - time.monotonic() if self._later else 1.0
        return min(1.0, max(0.0, soon))

    def _judge(self, ended: Ended) -> None:
        """Take an end as the outcome, or let the work be begun once more."""
        key, entry = ended.key, self._open[ended.key]
        self._running.discard(key)
        if ended.how == "busy":
            heapq.heappush(self._later, (time.monotonic() + _BUSY, key))
            self._watch(News(key, "busy", ended.reason))
            return
        entry.attempts += 1
        if ended.how == "killed" and entry.attempts < self._attempts:
            self._ready.appendleft(key)
            self._watch(News(key, "killed", ended.reason))
            return
        failure = None if ended.how == "done" else ended.reason or ended.how
        if ended.how == "killed" and entry.attempts > 1:
            failure = f"{failure}, the last of {entry.attempts} attempts"
        log, who = self.log_of(key), ended.who
        self._settle(Outcome(key, ended.value, failure, ended.seconds, entry.attempts, log, who))

    def _settle(self, outcome: Outcome) -> None:
        """Tell an outcome, and release or give up the works that stand on it."""
        entry = self._open.pop(outcome.key)
        self._failed[outcome.key] = outcome.failure is not None
        self._told.append(outcome)
        for key in entry.followers:
            if key not in self._open:
                continue  # given up before, as something else failed
            if outcome.failure is not None:
                self._give_up(key, outcome.key)
                continue
            self._open[key].missing.discard(outcome.key)
            if not self._open[key].missing:
                self._ready.append(key)

    def _give_up(self, key: str, cause: str) -> None:
        self._settle(Outcome(key, failure=f"not run, as {cause} failed"))
