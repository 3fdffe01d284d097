"""An engine that does works in the process of the test, at once: all but the processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmark.engine.engine import Engine
from benchmark.engine.work import Ended, Work
from benchmark.errors import BenchmarkError
from benchmark.locks import BusyError

__all__ = ["InProcess"]


class InProcess(Engine):
    """Does one work at a time.

    Args:
        logs: the folder of logs, in which nothing is written.
        before: is called with each work before it is done; what it raises goes through.
    """

    def __init__(self, logs: Path, before: Callable[[Work], object] = lambda work: None) -> None:
        super().__init__(logs)
        self.begun: list[str] = []
        self._before, self._waiting = before, list[Work]()

    def close(self) -> None:
        pass

    def room(self) -> int:
        return 1

    def _start(self, work: Work, attempt: int) -> None:
        self._waiting.append(work)

    def _next(self, patience: float) -> Ended | None:
        if not self._waiting:
            return None
        work = self._waiting.pop()
        self._before(work)
        self.begun.append(work.key)
        try:
            return Ended(work.key, "done", work.call(*work.arguments))
        except BusyError as error:
            return Ended(work.key, "busy", reason=str(error))
        except BenchmarkError as error:
            return Ended(work.key, "failed", reason=str(error))
