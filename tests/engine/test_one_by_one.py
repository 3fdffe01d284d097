"""Works in processes of their own, one after another."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import pytest

from benchmark.engine import engine as module
from benchmark.engine.engine import News
from benchmark.engine.one_by_one import OneByOne
from benchmark.engine.work import Outcome, Work
from benchmark.errors import InputError
from benchmark.locks import locked
from tests.engine import calls


def _done(place: Path, *works: Work, attempts: int = 2) -> dict[str, Outcome]:
    with OneByOne(place / "logs", attempts) as engine:
        for work in works:
            engine.submit(work)
        return {outcome.key: outcome for outcome in engine.finished()}


def test_values_come_back_and_what_is_said_goes_into_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done = _done(tmp_path, Work("a sum", calls.add, (1, 2, 3)), Work("b", calls.add, (4,)))
    assert {key: each.value for key, each in done.items()} == {"a sum": 6, "b": 4}
    log = done["a sum"].log
    assert log is not None and log != done["b"].log
    lines = log.read_text().splitlines()
    assert "a sum: attempt 1 on" in lines[0] and {"adding", "carefully"} < set(lines)
    assert capfd.readouterr() == ("", "")


def test_a_failed_work_leaves_the_rest_alone_and_is_told_in_one_line(tmp_path: Path) -> None:
    done = _done(
        tmp_path,
        Work("refused", calls.refuse, ("no\n such  thing",)),
        Work("stumbled", calls.stumble),
        Work("unsent", calls.give_what_cannot_be_sent),
        Work("after", calls.add, (1,), after=("refused",)),
        Work("fine", calls.add, (1,)),
    )
    assert done["refused"].failure == "no such thing"
    assert str(done["stumbled"].failure).startswith("KeyError: 'a fault' (calls.py:")
    assert "pickle" in str(done["unsent"].failure).lower()
    assert done["after"].failure == "not run, as refused failed"
    assert done["fine"].value == 1
    log = done["stumbled"].log
    assert log is not None and 'raise KeyError("a fault")' in log.read_text()


def test_what_is_killed_is_tried_again_and_the_log_tells_both(tmp_path: Path) -> None:
    done = _done(
        tmp_path,
        Work("once", calls.die_at_first, (tmp_path / "mark",)),
        Work("always", calls.die, (signal.SIGKILL,)),
        Work("status", calls.die, (signal.SIGTERM,)),
    )
    assert (done["once"].value, done["once"].attempts) == ("done", 2)
    log = done["once"].log
    assert log is not None and "killed by SIGKILL" in log.read_text()
    assert done["always"].failure == (
        "its process was killed by SIGKILL, as the system does where memory runs out,"
        " the last of 2 attempts"
    )
    assert done["status"].attempts == 2  # it was told to end, by nobody that it knows


def test_peak_memory_is_that_of_the_work_alone(tmp_path: Path) -> None:
    works = [Work(str(n), calls.hold_much, (size,)) for n, size in enumerate((1, 300, 1))]
    first, large, last = (_done(tmp_path, *works)[str(n)].value for n in range(3))
    assert large > first + 250 and abs(last - first) < 10


def test_a_work_waits_for_whoever_is_at_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BUSY", 0.1)
    news: list[News] = []
    begun = time.monotonic()
    with OneByOne(tmp_path / "logs", watch=news.append) as engine:
        engine.submit(Work("waits", calls.wait_for, (tmp_path / "place",)))
        engine.submit(Work("other", calls.add, (1,)))
        with locked(tmp_path / "place"):
            outcomes = engine.finished()
            assert next(outcomes).key == "other"
        (outcome,) = outcomes
    assert (outcome.value, outcome.attempts) == ("had it", 1)
    assert ("waits", "busy") in {(each.key, each.state) for each in news}
    assert time.monotonic() - begun < 60


def test_what_is_interrupted_is_left_in_order(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with OneByOne(tmp_path / "logs") as engine:
        engine.submit(Work("waits", calls.leave_in_order, (mark,)))
        thread = threading.Thread(target=lambda: list(engine.finished()), daemon=True)
        thread.start()
        while not mark.with_suffix(".begun").exists():
            time.sleep(0.02)
        engine.close()
    assert mark.exists()


def test_a_log_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("no folder")
    with pytest.raises(InputError, match="cannot be written"):
        _done(tmp_path, Work("a", calls.add, (1,)))
