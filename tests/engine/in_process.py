"""The engine of this process, which remembers what it has begun."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from benchmark.engine import in_process
from benchmark.engine.work import Ended, How, Work
from benchmark.locks import BusyError

__all__ = ["InProcess"]


class InProcess(in_process.InProcess):
    """Takes note of the works, and holds one back that is busy, as processes do.

    Args:
        before: is called with each work before it is done; what it raises goes through.
    """

    def __init__(self, before: Callable[[Work], object] = lambda work: None) -> None:
        super().__init__()
        self.begun: list[str] = []
        self._before = before

    def _next(self, patience: float) -> Ended | None:
        work = self._waiting
        if work is not None:
            self._before(work)
            self.begun.append(work.key)
        ended = super()._next(patience)
        if ended is None or ended.how == "done":
            return ended
        how: How = "busy" if isinstance(ended.value, BusyError) else "failed"
        return replace(ended, how=how, value=None)  # no error comes back from another process
