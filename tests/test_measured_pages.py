"""Pages whose tables come of measurements that a module of the tests repeats."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

from benchmark.data.dataset import Dataset
from benchmark.data.requests import Task
from benchmark.registry import find
from benchmark.results.record import RunRecord
from benchmark.running.plan import Experiment
from benchmark.running.runner import run_model
from tests import determinism, estimates


@pytest.mark.parametrize("module", [determinism, estimates])
def test_a_page_shows_its_record(module: ModuleType) -> None:
    record = json.loads(module.RECORD.read_text(encoding="utf-8"))
    page = module.PAGE.read_text(encoding="utf-8")
    assert module.tables(record) in page
    assert module.written(page, record) == page


def test_the_record_of_estimates_holds_what_is_claimed() -> None:
    runs = json.loads(estimates.RECORD.read_text(encoding="utf-8"))["runs"]
    alone = [run["memory"] for run in runs if run["kind"] == "quick"]
    assert len(alone) >= 10
    assert all(1 / 1.5 < ratio < 1.5 for ratio in alone)


def test_the_same_command_gave_the_same_bytes() -> None:
    record = json.loads(determinism.RECORD.read_text(encoding="utf-8"))
    again = [row for row in record["changes"] if row["variant"] == "again"]
    assert {row["model"] for row in again} == set(determinism.MODELS)
    assert all(row["same_bytes"] and row["changed"] == 0 for row in again)


def stored(name: str, tiny: Dataset, results: Path) -> RunRecord:
    entry = find(name)
    plan = Experiment(entry, entry.load().Settings(), "quick", (Task.REC, Task.SEARCH))
    return run_model(plan, tiny, ("full", "sampled"), 1, "cpu", results, fresh=False).record


def test_runs_are_compared_request_by_request(tiny: Dataset, tmp_path: Path) -> None:
    first, again = (stored("popularity", tiny, tmp_path / name) for name in ("first", "again"))
    for row in determinism.changes(first, again, "again"):
        assert row.same_bytes
        assert (row.changed, row.difference, row.largest, row.weights) == (0, 0, 0, 0)
    other = stored("random", tiny, tmp_path / "first")
    rows = list(determinism.changes(first, other, "other"))
    assert [row.task for row in rows] == ["rec", "search"]
    for row in rows:
        task = first.info["metrics"][row.task]["full"]
        assert not row.same_bytes
        assert row.requests == task["requests"]
        assert row.ndcg == pytest.approx(task["ndcg@10"])
        wanted = other.info["metrics"][row.task]["full"]["ndcg@10"] - task["ndcg@10"]
        assert row.difference == pytest.approx(wanted)
        assert 0.5 < row.changed <= 1
        assert abs(row.difference) < row.largest <= 1
