"""Several processes that make one run: on the GPUs of a machine, or of several machines.

They are started by ``accelerate launch`` or ``torchrun``, which tell each one its number by
environment variables; Accelerate picks the device of each and how they talk. What is computed goes
the way that suits the device (NCCL between GPUs), everything else by gloo.

Whatever is exchanged begins with the question whether all are well, so that a process in which
something failed can say so wherever the others are, and all leave at the same place.
"""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, distributed

from benchmark.errors import BenchmarkError
from benchmark.failures import described
from benchmark.processes import Processes

__all__ = ["LostError", "ProcessGroup", "joined"]

T = TypeVar("T")

_ANSWER = timedelta(minutes=30)
"""How long an exchange waits for those that do the same work."""
_WORK = timedelta(days=7)
"""How long the others wait for what one process does for all."""
_LAST_WORD = 2.0
"""Seconds for which the others outlive the first, which may still be writing."""
_NUMBERS = 8
"""Numbers that the question carries: whether something failed, and what is to be added up."""


class LostError(BenchmarkError):
    """Another process has ended, or cannot be reached any more."""


class _ToldError(BenchmarkError):
    """Something failed in another process; all of them know."""


class ProcessGroup(Processes):
    """This process among the others."""

    def __init__(self) -> None:
        self._rank, self._count = distributed.get_rank(), distributed.get_world_size()
        self._questions = distributed.new_group(backend="gloo", timeout=_ANSWER)
        self._patience = distributed.new_group(backend="gloo", timeout=_WORK)
        self._alone = self._lost = False

    @property
    def rank(self) -> int:
        """The number of this process, 0 while it does something for all."""
        return 0 if self._alone else self._rank

    @property
    def count(self) -> int:
        """How many there are, 1 while this one does something for all."""
        return 1 if self._alone else self._count

    def totals(self, *values: float) -> tuple[float, ...]:
        """Return the sum of each value over all processes, at most seven."""
        return values if self._alone else tuple(self._ask(list(values))[: len(values)])

    def weights(self, *counts: float | Tensor) -> tuple[float, ...]:
        """Return this process's share of each total, 0 of nothing."""
        if self._alone:
            return super().weights(*counts)
        own = [float(count) for count in counts]
        return tuple(n / max(t, 1.0) for n, t in zip(own, self.totals(*own), strict=True))

    def sum_(self, tensor: Tensor) -> None:
        """Put into ``tensor``, which is contiguous, its sum over all processes."""
        if not self._alone:
            self._ask()
            with self._reaching():
                distributed.all_reduce(tensor, group=self._group_of(tensor))

    def stack(self, rows: Tensor) -> Tensor:
        """Return the rows of all processes, in order, whatever their number in each."""
        if self._alone:
            return rows
        sizes = self.gather(len(rows))
        padded = rows.new_zeros(max(sizes), *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in sizes]
        self._ask()
        with self._reaching():
            distributed.all_gather(parts, padded, group=self._group_of(padded))
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    def gather(self, value: T) -> list[T]:
        """Return the value of every process, in order."""
        if self._alone:
            return [value]
        self._ask()
        return self._gathered(value)

    def once(self, make: Callable[[], T]) -> T:
        """Let the first process make something, and return it in all of them."""
        if self._alone:
            return make()
        self._ask()

        def packed() -> tuple[T, bytes]:
            made = make()
            return made, pickle.dumps(made)  # here, where a failure is told to the others

        outcome, error = self._tried(packed) if self.first else (None, None)
        told = [(outcome and outcome[1], _fault(error))]
        with self._reaching():
            distributed.broadcast_object_list(told, src=0, group=self._patience)
        if error is not None:
            raise error
        if outcome is not None:
            return outcome[0]
        content, fault = told[0]
        if content is None:
            raise BenchmarkError(fault)
        made: T = pickle.loads(content)
        return made

    def first_of_machine(self, make: Callable[[], T]) -> T:
        """Let the first process of each machine make something, then the others."""
        if self._alone:
            return make()
        self._ask()
        leads = os.environ.get("LOCAL_RANK", "0") == "0"
        made, error = self._tried(make, alone=False) if leads else (None, None)
        faults = self._gathered(_fault(error), patient=True)
        if error is not None:
            raise error
        for fault in filter(None, faults):
            raise BenchmarkError(fault)
        return made if leads else make()  # type: ignore[return-value]

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let whatever fails in one process fail in all of them."""
        try:
            yield
            self._ask()
        except (LostError, _ToldError):
            raise
        except Exception as error:
            with suppress(LostError, _ToldError):
                self._ask(failure=_said(error))
            raise

    def leave(self) -> None:
        """Part once all are at their end, the first process first of all.

        A launcher that sees one fail ends the others, and the first has to say why it failed.
        """
        with suppress(BenchmarkError):
            self._ask()
            if self.first:
                distributed.destroy_process_group()
            else:
                with self._reaching():
                    distributed.recv(torch.empty(1), src=0, group=self._patience)
        if not self.first:
            time.sleep(_LAST_WORD)

    def _group_of(self, tensor: Tensor) -> distributed.ProcessGroup | None:
        """Return the group that moves a tensor: between GPUs that which Accelerate has made."""
        return None if tensor.is_cuda else self._questions

    def _tried(
        self, make: Callable[[], T], alone: bool = True
    ) -> tuple[T | None, Exception | None]:
        self._alone = alone
        try:
            return make(), None
        except Exception as error:
            return None, error
        finally:
            self._alone = False

    def _ask(self, values: list[float] | None = None, failure: str = "") -> list[float]:
        """Ask whether all are well, and add up at most seven values on the way.

        Raises:
            _ToldError: something failed in another process, or in this one, as ``failure`` says.
            LostError: another one cannot be reached.
        """
        numbers = torch.zeros(_NUMBERS, dtype=torch.float64)
        numbers[0] = bool(failure)
        numbers[1 : 1 + len(values or ())] = torch.tensor(values or (), dtype=torch.float64)
        with self._reaching():
            distributed.all_reduce(numbers, group=self._questions)
        failed, *sums = numbers.tolist()
        if failed:
            told = self._gathered(failure)
            rank = next(rank for rank, text in enumerate(told) if text)
            raise _ToldError(f"process {rank + 1} of {self._count}: {told[rank]}")
        return sums

    def _gathered(self, value: T, patient: bool = False) -> list[T]:
        values: list[T] = [value] * self._count
        group = self._patience if patient else self._questions
        with self._reaching():
            distributed.all_gather_object(values, value, group=group)
        return values

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Exchange something; once that failed, nothing more can be."""
        if self._lost:
            raise LostError("another process of this run has ended")
        try:
            yield
        except RuntimeError as error:
            self._lost = True
            raise LostError(
                "another process of this run has ended or cannot be reached; its own log, or that"
                " of the launcher, says why"
            ) from error


def _fault(error: Exception | None) -> str | None:
    return None if error is None else _said(error)


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, BenchmarkError) else described(error)


def joined(cpu: bool) -> ProcessGroup:
    """Join the processes that were started with this one, and take this one's GPU.

    Args:
        cpu: whether nothing is computed on a GPU.

    Raises:
        LostError: they do not find each other.
    """
    from accelerate import PartialState

    try:
        PartialState(cpu=cpu or not torch.cuda.is_available(), timeout=_ANSWER)
        return ProcessGroup()
    except (RuntimeError, ValueError) as error:
        raise LostError(
            f"the processes that were started together do not find each other: {described(error)}"
        ) from error
