"""Works on Dask's workers; these tests start processes, which takes some seconds."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest

from benchmark.engine.choose import engine_for
from benchmark.engine.one_by_one import OneByOne
from benchmark.engine.work import Work
from benchmark.errors import InputError
from tests.engine import calls

pytest.importorskip("distributed")

from benchmark.engine.dask_engine import DaskEngine


def _workers() -> list[psutil.Process]:
    """Return the processes that Dask started for works."""
    return [
        each
        for each in psutil.Process().children()
        if "spawn_main" in " ".join(each.cmdline()) and each.children()
    ]


def test_workers_that_are_killed_lose_and_duplicate_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    files = [tmp_path / str(number) for number in range(5)]
    killed = 0
    with DaskEngine(tmp_path / "logs", workers=2) as engine:
        for file in files:
            engine.submit(Work(file.name, calls.append, (file, 0.3)))
        engine.submit(Work("last", calls.add, (1,), after=tuple(file.name for file in files)))
        engine.submit(Work("fails", calls.refuse, ("no",)))
        engine.submit(Work("threads", calls.named, ("OMP_NUM_THREADS",)))
        done = {}
        for outcome in engine.finished():
            done[outcome.key] = outcome
            if killed < 2 and outcome.key in ("0", "1"):
                for worker in _workers()[:1]:
                    worker.kill()
                    killed += 1
    assert killed == 2
    assert [len(file.read_text().split()) for file in files] == [1] * 5
    assert done.pop("fails").failure == "no"
    assert int(done["threads"].value) == max(1, len(os.sched_getaffinity(0)) // 2)
    assert {key: each.failure for key, each in done.items()} == dict.fromkeys(
        [*map(str, range(5)), "last", "threads"]
    )
    assert sum(each.attempts for each in done.values()) > len(done)  # the kills were felt
    begun = time.monotonic()
    while _workers() and time.monotonic() - begun < 10:
        time.sleep(0.1)
    assert not _workers()


def test_one_worker_needs_no_dask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.engine.dask_engine.is_installed", lambda: False)
    assert isinstance(engine_for(tmp_path, 1, None), OneByOne)
    with pytest.raises(InputError, match=r"pip install 'search-rec-benchmark\[cluster\]'"):
        engine_for(tmp_path, 2, None)


@pytest.mark.parametrize(
    ("workers", "scheduler", "match"),
    [(1, "tcp://127.0.0.1:1", "either"), (0, None, "make it 1 or more")],
)
def test_wishes_that_contradict_are_refused(
    workers: int | None, scheduler: str | None, match: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=match):
        engine_for(tmp_path, workers, scheduler)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x", "127.0.0.1:http"])
def test_a_scheduler_that_is_not_there_is_told_in_one_line(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.engine.dask_engine._PATIENCE", 0.5)
    with pytest.raises(InputError, match="no scheduler answers"):
        DaskEngine(tmp_path, scheduler=address)
