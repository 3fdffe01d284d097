from __future__ import annotations

import errno
import io
import re
import sys
import time

import pytest

from benchmark import progress_lines
from benchmark.run_log import RunLog, Spent


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_lines, "SOON", 0.04)
    monkeypatch.setattr(progress_lines, "EVERY", 0.2)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines without their times."""
    written = capsys.readouterr().err.splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in written)
    return [line[9:] for line in written]


def test_a_step_tells_how_far_it_is_even_while_it_computes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_log = RunLog(title="mine seed 3")
    with run_log.phase("fit"), run_log.progress("backbone", 40, "epoch") as bar:
        bar.advance(7, "loss 1.230")
        time.sleep(1.0)
    told = lines(capsys)
    assert told[0] == "mine seed 3: fit: backbone epoch 7/40, loss 1.230"
    assert 3 <= told.count(told[0]) <= 6  # at once, then every so often
    assert re.fullmatch(r"mine seed 3: fit: backbone: done in 1 s", told[-1])


def test_short_work_tells_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    run_log = RunLog()
    for name in ("fit", "evaluate"):
        with run_log.phase(name), run_log.progress("requests", 9) as bar:
            bar.advance(9)
    assert lines(capsys) == []


def test_validations_are_told_but_not_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    run_log = RunLog(title="mine")
    with run_log.phase("fit"), run_log.progress("epochs", 50) as bar:
        for epoch in range(50):
            bar.advance()
            run_log.validated(epoch=epoch + 1, loss=1.5, rec=0.0514)
    assert lines(capsys) == ["mine: fit: epochs: epoch 1, loss 1.5, rec 0.0514"]


def test_a_checkpoint_taken_up_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    run_log = RunLog(title="mine")
    with run_log.phase("fit"):
        run_log.take_up(
            [{"seconds": 3.0, "epoch": 12, "rec": 0.05}], [Spent(9.0, 8.5), Spent(8.0, 7.5)]
        )
    assert lines(capsys) == ["mine: fit: resumed from a checkpoint, epoch 12, rec 0.05"]


def test_a_step_kept_apart_shows_its_progress_in_the_same_place(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_log = RunLog(title="mine")
    with run_log.phase("fit"):
        inner = run_log.apart()
        with inner.phase("other model"):
            inner.validated(epoch=1, rec=0.5)
    assert (len(run_log.phases), run_log.curve) == (1, [])
    assert lines(capsys) == ["mine: fit: other model: epoch 1, rec 0.5"]


@pytest.mark.parametrize("terminal", [True, False])
def test_nothing_where_it_is_quiet_or_a_person_watches_bars(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    if terminal:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run_log = RunLog(quiet=not terminal, title="mine")
    with run_log.phase("fit"):
        run_log.validated(epoch=1, rec=0.5)
        time.sleep(0.3)
    assert lines(capsys) == []


class _Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_that_cannot_be_written_ends_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", _Full())
    run_log = RunLog(title="mine")
    with run_log.phase("fit"):
        run_log.validated(epoch=1, rec=0.5)
    assert len(run_log.phases) == 1
