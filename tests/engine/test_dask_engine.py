"""Works on Dask's workers; these tests start processes, which takes some seconds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from benchmark.engine.attempts import THREADS
from benchmark.engine.choose import engine_for
from benchmark.engine.one_by_one import OneByOne
from benchmark.engine.work import Outcome, Work
from benchmark.errors import BenchmarkError, InputError
from tests.engine import calls

pytest.importorskip("distributed")

from benchmark.engine.dask_engine import DaskEngine


def _dasks(pid: int | None = None) -> list[psutil.Process]:
    """Return the workers that Dask started for a process, those that have ended left out."""
    found = []
    for each in psutil.Process(pid).children():
        with suppress(psutil.Error):
            if "spawn_main" in " ".join(each.cmdline()):
                found.append(each)
    return found


def _workers() -> list[psutil.Process]:
    """Return those of this process that have begun works."""
    found = []
    for each in _dasks():
        with suppress(psutil.Error):
            if each.children():
                found.append(each)
    return found


def test_workers_that_are_killed_lose_and_duplicate_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    files = [tmp_path / str(number) for number in range(5)]
    killed = 0
    with DaskEngine(tmp_path / "logs", workers=2) as engine:
        for file in files:
            engine.submit(Work(file.name, calls.append, (file, tmp_path / "passes", 0.3)))
        engine.submit(Work("last", calls.add, (1,), after=tuple(file.name for file in files)))
        engine.submit(Work("fails", calls.refuse, ("no",)))
        engine.submit(Work("threads", calls.named, ("OMP_NUM_THREADS",)))
        done = {}
        for outcome in engine.finished():
            assert outcome.key not in done
            done[outcome.key] = outcome
            if killed < 2:
                for worker in _workers()[:1]:
                    worker.kill()
                    killed += 1
    assert killed > 0
    assert [len(file.read_text().split()) for file in files] == [1] * 5
    passes = Counter((tmp_path / "passes").read_text().split())
    assert passes.keys() == {file.name for file in files}
    assert max(passes.values()) <= 1 + killed and passes.total() <= len(files) + killed
    assert done.pop("fails").failure == "no"
    assert int(done["threads"].value) == max(1, len(os.sched_getaffinity(0)) // 2)
    assert {key: each.failure for key, each in done.items()} == dict.fromkeys(
        [*map(str, range(5)), "last", "threads"]
    )
    _wait(lambda: not _workers())


def test_a_scheduler_elsewhere_does_works_and_ends_those_that_nobody_waits_for(
    tmp_path: Path,
) -> None:
    mark = tmp_path / "mark"
    with DaskEngine(tmp_path / "own", workers=1) as host:
        assert host._cluster is not None
        address = host._cluster.scheduler_address
        with DaskEngine(tmp_path / "logs", scheduler=address) as engine:
            engine.submit(Work("waits", calls.leave_in_order, (mark,)))
            outcomes = engine.finished()
            thread = threading.Thread(target=_first_of, args=(outcomes,), daemon=True)
            thread.start()
            _wait(mark.with_suffix(".begun").exists)
        _wait(mark.exists)
        with DaskEngine(tmp_path / "logs", scheduler=address) as engine:
            engine.submit(Work("after", calls.add, (1, 2)))
            assert [outcome.value for outcome in engine.finished()] == [3]


def _first_of(outcomes: Iterator[Outcome]) -> None:
    with suppress(BenchmarkError):  # the engine is closed meanwhile
        next(outcomes, None)


def _wait(until: Callable[[], bool]) -> None:
    begun = time.monotonic()
    while not until():
        assert time.monotonic() - begun < 60
        time.sleep(0.05)


@pytest.mark.parametrize("anew", [False, True])
def test_ctrl_c_of_a_terminal_ends_idle_workers_without_a_word(anew: bool, tmp_path: Path) -> None:
    """A terminal sends it to the whole process group; also while a worker starts ``anew``."""
    command = [sys.executable, "-m", "tests.engine.interrupted", str(tmp_path)]
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
    mark = tmp_path / "mark"
    try:
        _wait(mark.with_suffix(".begun").exists)
        if anew:
            before = _dasks(process.pid)
            (idle,) = [each for each in before if not each.children()]
            idle.kill()
            _wait(lambda: len({*_dasks(process.pid)} - {*before}) == 1)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    assert mark.exists()
    assert (tmp_path / "out").read_text() == ""


@pytest.mark.parametrize("elsewhere", [False, True])
def test_works_compute_on_as_many_threads_as_was_said(
    elsewhere: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dask
    from distributed import LocalCluster

    for name in THREADS:
        monkeypatch.setenv(name, "1")  # as Dask presets what a user leaves unsaid
    wished = len(os.sched_getaffinity(0)) if elsewhere else 1  # else that would be the share
    monkeypatch.setenv("OMP_NUM_THREADS", str(wished))
    if not elsewhere:
        monkeypatch.delenv("MKL_NUM_THREADS")
    with ExitStack() as stack:
        scheduler = None
        if elsewhere:
            stack.enter_context(dask.config.set({"distributed.nanny.pre-spawn-environ": {}}))
            settings = {"threads_per_worker": 1, "memory_limit": None, "dashboard_address": None}
            cluster = stack.enter_context(LocalCluster(n_workers=1, **settings))
            scheduler = cluster.scheduler_address
        engine = stack.enter_context(DaskEngine(tmp_path / "logs", scheduler=scheduler))
        engine.submit(Work("threads", calls.threads, imports=("torch",)))
        assert [outcome.value for outcome in engine.finished()] == [wished]


def test_one_worker_needs_no_dask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.engine.dask_engine.is_installed", lambda: False)
    assert isinstance(engine_for(tmp_path, 1, None), OneByOne)
    with pytest.raises(InputError, match=r"pip install 'search-rec-benchmark\[cluster\]'"):
        engine_for(tmp_path, 2, None)


@pytest.mark.parametrize(
    ("workers", "scheduler", "match"),
    [
        (1, "tcp://127.0.0.1:1", "either"),
        (0, None, "make it 1 or more"),
        (None, "", "no address"),
        (None, " ", "no address"),
    ],
)
def test_wishes_that_make_no_sense_are_refused(
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
