from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmark.errors import BenchmarkError, InputError
from benchmark.processes import ALONE, Processes
from tests.processes import together


class _One(Processes):
    def __init__(self, rank: int, count: int) -> None:
        self._of = rank, count

    @property
    def rank(self) -> int:
        return self._of[0]

    @property
    def count(self) -> int:
        return self._of[1]


@given(st.integers(0, 50), st.integers(1, 9))
def test_parts_hold_every_row_once_and_are_alike(rows: int, count: int) -> None:
    parts = [np.arange(rows)[_One(rank, count).part(rows)] for rank in range(count)]
    assert np.concatenate(parts).tolist() == list(range(rows))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_one_process_changes_nothing() -> None:
    rows = torch.ones(3)
    assert ALONE.part(7) == slice(0, 7)
    assert ALONE.totals(2, 3.5) == (2, 3.5)
    assert ALONE.weights(0, 3) == (1.0, 1.0)
    assert ALONE.stack(rows) is rows
    assert ALONE.once(lambda: ALONE.gather(4)) == [4]


def _exchanged(processes: Processes) -> dict[str, object]:
    rank = processes.rank
    own = torch.full((rank + 1,), float(rank))
    summed = torch.full((2,), float(rank + 1))
    processes.sum_(summed)
    return {
        "rank": rank,
        "totals": processes.totals(rank, 2.5),
        "weights": processes.weights(rank, torch.tensor(3), 0),
        "sum": summed.tolist(),
        "stack": processes.stack(own).tolist(),
        "empty": processes.stack(own[:rank]).tolist(),
        "gather": processes.gather(f"from {rank}"),
        "once": processes.once(lambda: (processes.count, processes.totals(7), os.getpid())),
        "pid": os.getpid(),
    }


def test_what_is_exchanged_is_the_same_everywhere() -> None:
    first, second = together(_exchanged)
    assert isinstance(first, dict) and isinstance(second, dict)
    assert (first["rank"], second["rank"]) == (0, 1)
    assert first["weights"] == (0.0, 0.5, 0.0) and second["weights"] == (1.0, 0.5, 0.0)
    for found in (first, second):
        assert found["totals"] == (1.0, 5.0)
        assert found["sum"] == [3.0, 3.0]
        assert found["stack"] == [0.0, 1.0, 1.0] and found["empty"] == [1.0]
        assert found["gather"] == ["from 0", "from 1"]
        # Whoever does something for all is alone meanwhile.
        assert found["once"] == (1, (7,), first["pid"])


def _fails(processes: Processes, where: str, kind: type[Exception]) -> str:
    """Fail in one process only; the other is where the name says."""
    try:
        with processes.together():
            if where == "once":
                processes.once(_raising(kind))
            elif processes.rank == 1:
                _raising(kind)()
            elif where == "sum":
                processes.sum_(torch.ones(2))
            elif where == "waiting":
                processes.once(lambda: time.sleep(0.1))
    except Exception as error:
        message = f"{isinstance(error, BenchmarkError)} {error}"
    else:
        message = "went on"
    return f"{message}; {processes.totals(1)}"  # they can still be asked


def _raising(kind: type[Exception]) -> object:
    def fail() -> None:
        raise kind("all went wrong")

    return fail


@pytest.mark.parametrize("where", ["once", "sum", "waiting", "end"])
def test_what_fails_in_one_process_fails_in_all(where: str) -> None:
    first, second = together(_fails, where, InputError)
    if where == "once":
        assert first == second == "True all went wrong; (2.0,)"
    else:
        assert first == "True process 2 of 2: all went wrong; (2.0,)"
        assert second == "True all went wrong; (2.0,)"


def _unsendable(processes: Processes) -> str:
    try:
        processes.once(lambda: lambda: None)
    except Exception as error:
        return f"{type(error).__name__}; {processes.totals(1)}"
    return "sent"


def test_what_cannot_be_sent_is_no_reason_to_wait() -> None:
    first, second = together(_unsendable)
    assert first != "sent" and second == "BenchmarkError; (2.0,)"
    assert str(first).endswith("; (2.0,)")


def test_a_fault_of_the_code_is_told_with_its_place() -> None:
    first, second = together(_fails, "sum", ZeroDivisionError)
    assert str(first).startswith("True process 2 of 2: ZeroDivisionError: all went wrong (test_pro")
    assert second == "False all went wrong; (2.0,)"


def _dies(processes: Processes) -> str:
    if processes.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return f"{_missed(processes)}; {_missed(processes)}"


def _missed(processes: Processes) -> str:
    try:
        with processes.together():
            processes.sum_(torch.ones(2))
    except BenchmarkError as error:
        return str(error)
    return "nobody is missed"


def test_a_process_that_dies_is_missed_at_once() -> None:
    begun = time.monotonic()
    first, second = together(_dies)
    assert time.monotonic() - begun < 60
    assert str(first).startswith("another process of this run has ended or cannot be reached")
    assert str(first).endswith("; another process of this run has ended")
    assert second == "exit status -9"
