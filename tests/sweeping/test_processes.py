"""Sweeps as commands, of which workers or the whole are killed; it takes processes, so seconds.

``python -m tests.sweep_kills`` does the same at full size.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.support import write_tiny
from tests.sweep_kills import Sweeps, answers, faults_of

pytest.importorskip("distributed")


@pytest.fixture
def sweeps(tmp_path: Path) -> Sweeps:
    write_tiny(tmp_path / "tiny")
    block = {
        "models": ["popularity", "bm25"],
        "datasets": ["tiny"],
        "seeds": [1, 2],
        "presets": ["quick"],
    }
    surroundings = {"OMP_NUM_THREADS": "1", "BENCHMARK_CACHE": str(tmp_path / "cache")}
    return Sweeps(tmp_path, block, environment=surroundings)


def test_workers_and_sweeps_that_are_killed_lose_and_duplicate_nothing(sweeps: Sweeps) -> None:
    wanted = sweeps.one_by_one()
    told = sweeps.sweep("killed", kills=2)
    assert told["killed"] > 0
    assert not faults_of("killed", sweeps, told, wanted), sweeps.log("killed")
    _, told = sweeps.sweep_in_pieces("pieces", 1, longest=12)
    assert not faults_of("pieces", sweeps, told, wanted), sweeps.log("pieces")


def test_an_interrupted_sweep_leaves_everything_in_order(sweeps: Sweeps) -> None:
    process = sweeps._start("stopped")
    results = sweeps.place / "stopped"
    begun = time.monotonic()
    while not [*results.glob("runs/*/*/[!.]*/run.json")]:
        assert process.poll() is None and time.monotonic() - begun < 120, sweeps.log("stopped")
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode in (0, 130) and (process.returncode == 0 or out == b"")
    if process.returncode == 130:
        assert "interrupted by SIGINT; the same command goes on" in sweeps.log("stopped")
    hidden = [p for p in results.rglob(".*") if "unfinished" in p.name]
    assert not hidden and not [*results.glob("sweeps/.*")]
    told = sweeps.sweep("stopped")
    assert told["status"] == 0 and len(answers(results)) == 4
