"""The processes that make one run together; most runs have one, which does everything itself.

:mod:`benchmark.process_group` is the case of several. Whoever shares work asks for its part and
says what is to be added up, and need not know which case holds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ALONE", "SIBLINGS", "Processes", "siblings"]

T = TypeVar("T")

SIBLINGS = "SEARCH_REC_WORKERS"
"""The variable that tells a worker how many there are on its machine, itself included."""


def siblings() -> int:
    """Return how many processes like this one work on this machine at a time, itself included."""
    told = [os.environ.get(name, "") for name in (SIBLINGS, "LOCAL_WORLD_SIZE")]
    return max([1, *(int(number) for number in told if number.isdecimal())])


class Processes:
    """One process that makes a run alone. Each method says what it is for several."""

    @property
    def rank(self) -> int:
        """The number of this process, from 0; the first one writes and speaks for all."""
        return 0

    @property
    def count(self) -> int:
        """How many there are."""
        return 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def part(self, rows: int) -> slice:
        """Return this process's part of ``rows``; all parts, in order, are all rows once.

        A part may be empty. Parts differ by one row at most.
        """
        each, more = divmod(rows, self.count)
        start = self.rank * each + min(self.rank, more)
        return slice(start, start + each + (self.rank < more))

    def totals(self, *values: float) -> tuple[float, ...]:
        """Return the sum of each value over all processes, at most seven."""
        return values

    def weights(self, *counts: float | Tensor) -> tuple[float, ...]:
        """Return this process's share of each total: what its own means weigh in those of all.

        Of a total of 0 the share is 0; alone, it is always 1.
        """
        return tuple(1.0 for _ in counts)

    def sum_(self, tensor: Tensor) -> None:
        """Put into ``tensor`` its sum over all processes."""

    def stack(self, rows: Tensor) -> Tensor:
        """Return the rows of all processes, in order; there is no gradient through it."""
        return rows

    def gather(self, value: T) -> list[T]:
        """Return the value of every process, in order."""
        return [value]

    def once(self, make: Callable[[], T]) -> T:
        """Return what ``make`` makes: the first process calls it, and all get the outcome.

        Inside of ``make`` that process is alone, as if there were no others.

        Raises:
            BenchmarkError: to the others, where ``make`` raised.
        """
        return make()

    def first_of_machine(self, make: Callable[[], T]) -> T:
        """Return what ``make`` makes in each process, on each machine first in one of them.

        So the others find what that one left in a cache.
        """
        return make()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let whatever fails in one process inside the block fail in all of them.

        Raises:
            BenchmarkError: it failed in another one, or another one has ended.
        """
        yield


ALONE = Processes()
"""One process, which every run has unless it is told otherwise."""
