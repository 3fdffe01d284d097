from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.cleaning import find, take_away
from benchmark.data.cache import store
from benchmark.folders import discard
from benchmark.locks import BusyError, lock_file, locked
from benchmark.results.record import read_run
from benchmark.results.scan import scan_runs
from benchmark.unfinished import unfinished_of
from tests.results.records import record

ASKED = {("rec", "full"): [0, 3, 1, 7]}
DAYS = 3 * 86400


def old(path: Path) -> Path:
    """Make something look as if it had not been touched for days."""
    for each in (path, *path.rglob("*")):
        changed = each.lstat().st_mtime - DAYS
        os.utime(each, (changed, changed), follow_symlinks=False)
    return path


def folder(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "weights").write_bytes(b"x" * 100)
    return path


def of_dead(place: Path) -> Path:
    """Return what a process that has ended left beside a place."""
    script = "import sys; from pathlib import Path; from benchmark.unfinished import *;"
    script += "print(unfinished_of(Path(sys.argv[1])))"
    told = subprocess.run(
        [sys.executable, "-c", script, str(place)], capture_output=True, text=True, check=True
    )
    return folder(Path(told.stdout.strip()))


def holding(place: Path) -> subprocess.Popen[str]:
    """Return another process, which holds the lock of a place."""
    hold = "import sys; from pathlib import Path; from benchmark.locks import locked\n"
    hold += "with locked(Path(sys.argv[1])):\n    print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    return holder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def cleaned(results: Path, cache: Path, days: float | None = None, limit: float = 1e9) -> set[Path]:
    found = find(results, cache, days, limit)
    assert all(take_away(litter) for litter in found)
    assert not find(results, cache, days, limit)
    return {litter.path for litter in found}


def test_what_serves_nobody_goes_and_all_else_stays(results: Path, cache: Path) -> None:
    run = record(results, "m", ASKED)
    interrupted = folder(results / "checkpoints" / "toy" / "m" / "interrupted")
    ours = folder(unfinished_of(run.folder))
    notes = folder(run.folder.parent / ".ipynb_checkpoints")
    mine = old(folder(run.folder.parent / ".my-settings"))
    kept = sorted(p for p in results.rglob("*"))

    (results / "runs" / "toy" / "requests-0123456789ab.parquet").write_bytes(b"x")
    stale = lock_file(results / "runs" / "toy")
    stale.write_text("{}")
    litter = {
        stale,
        results / "runs" / "toy" / "requests-0123456789ab.parquet",
        of_dead(run.folder),
        of_dead(interrupted / "step.pt"),
        of_dead(cache / "data" / "toy-123"),
        old(folder(run.folder.with_name(f".{run.folder.name}.abcd_123") / "unfinished")).parent,
        old(folder(cache / "data" / ".damaged-abcd1234" / "entry")).parent,
        folder(run.folder.with_name(f".{run.folder.name}.older")),
        folder(results / "checkpoints" / "toy" / "m" / run.folder.name),
    }
    for each in litter:
        if each.name.startswith((".damaged", f".{run.folder.name}.abcd")):
            old(each)
    assert cleaned(results, cache) == litter
    assert sorted(p for p in results.rglob("*")) == kept
    assert read_run(run.folder) == run and ours.exists() and notes.exists() and mine.exists()


def test_the_only_copy_of_a_run_stays(results: Path, cache: Path) -> None:
    run = record(results, "m", ASKED)
    aside = run.folder.with_name(f".{run.folder.name}.older")
    run.folder.rename(aside)
    assert cleaned(results, cache) == set()
    assert [each.info for each in scan_runs(results, pytest.fail)] == [run.info]
    earlier = run.folder.with_name(f".{run.folder.name}.abcd1234")
    earlier.mkdir()
    aside.rename(earlier / "older")
    old(earlier)
    assert cleaned(results, cache) == set()


def test_what_is_held_stays(results: Path, cache: Path) -> None:
    run = record(results, "m", ASKED)
    checkpoints = folder(results / "checkpoints" / "toy" / "m" / run.folder.name)
    holder = holding(checkpoints)
    (litter,) = find(results, cache, 0, 1e9)
    assert litter.path == checkpoints
    assert not take_away(litter)
    holder.kill()
    holder.communicate()
    assert cleaned(results, cache) == {checkpoints, lock_file(checkpoints)}
    with locked(checkpoints):
        assert not find(results, cache, None, 1e9)


def test_a_stale_lock_that_is_taken_away_is_never_held_twice(
    results: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = folder(results / "runs" / "toy")
    lock_file(place).touch()
    (stale,) = find(results, cache, None, 1e9)
    holders: list[subprocess.Popen[str]] = []

    def discarded(path: Path) -> None:
        """Remove something, and let another process lock the place before anything else."""
        discard(path)
        holders.append(holding(place))

    monkeypatch.setattr("benchmark.cleaning.discard", discarded)
    assert take_away(stale)
    holders = holders or [holding(place)]
    with pytest.raises(BusyError), locked(place, 0):
        pass
    holders[0].kill()
    holders[0].communicate()


def test_checkpoints_and_data_that_nobody_touched_go_if_asked(results: Path, cache: Path) -> None:
    new = folder(results / "checkpoints" / "toy" / "m" / "new")
    lying = {
        old(folder(results / "checkpoints" / "toy" / "m" / "old")),
        old(folder(results / "checkpoints" / "common-abc")),
        old(folder(results / "tuning" / "toy" / "m" / "study" / "checkpoints")),
    }
    assert cleaned(results, cache) == set()
    assert cleaned(results, cache, days=4) == set()
    assert cleaned(results, cache, days=2) == lying
    assert new.exists()


def entries(cache: Path) -> list[str]:
    return sorted(each.name for each in (cache / "data").iterdir())


@pytest.fixture
def three(cache: Path) -> Path:
    """Fill a cache with three entries of 1000 bytes; the second was used last."""
    for age, name in ((3, "a"), (1, "b"), (2, "c")):
        entry = cache / "data" / name
        entry.mkdir(parents=True)
        (entry / "manifest.json").write_bytes(b"x" * 1000)
        os.utime(entry, (10_000 - age, 10_000 - age))
    return cache


def test_prepared_data_beyond_the_limit_goes_first_used_first(results: Path, three: Path) -> None:
    assert cleaned(results, three, limit=2500) == {three / "data" / "a"}
    assert cleaned(results, three, limit=1000) == {three / "data" / "c"}
    assert entries(three) == ["b"]


def test_the_cache_keeps_its_limit_by_itself(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.data.cache.LIMIT", 2500)
    monkeypatch.setattr(
        "benchmark.data.cache._write",
        lambda draft, key, prepared: (draft / "manifest.json").write_bytes(b"x" * 1000),
    )
    store(three, "new", "0" * 64, None, pytest.fail)  # type: ignore[arg-type]
    assert entries(three) == ["b", "new-" + "0" * 20]


@pytest.mark.parametrize("where", ["runs", "runs/toy", "runs/toy/m", "checkpoints/toy", "."])
def test_links_are_neither_followed_nor_removed(
    tmp_path: Path, results: Path, cache: Path, where: str
) -> None:
    outside = tmp_path / "outside" / "toy" / "m"
    for path in (outside, outside.parent, outside.parent.parent):
        folder(path / ".run.0123abcd-1-0123abcd.unfinished")
        (path / "requests-0123456789ab.parquet").write_bytes(b"x")
        (path / ".x.lock").touch()
    folder(outside / "run")
    old(outside.parent.parent)
    kept = sorted(outside.parent.parent.rglob("*"))
    record(results, "other", ASKED, dataset="other")
    for place in (results / where, results / "runs" / ".x.0123abcd-1-0123abcd.unfinished"):
        place.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(place):
            parts = len(place.relative_to(results).parts) if place != results else 0
            place.symlink_to(outside.parents[max(0, 2 - parts)] if parts < 3 else outside)
    cleaned(results, cache, days=0)
    assert sorted(outside.parent.parent.rglob("*")) == kept
    assert (results / "runs" / ".x.0123abcd-1-0123abcd.unfinished").is_symlink()
