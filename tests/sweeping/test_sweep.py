"""A sweep does what is missing, each shared thing once, and loses nothing when it is stopped."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark.data.load import load_dataset
from benchmark.engine import engine as engine_module
from benchmark.engine.work import Work
from benchmark.errors import BenchmarkError
from benchmark.locks import BusyError, lock_file, locked
from benchmark.model import TrainingContext
from benchmark.registry import find
from benchmark.results.record import RunRecord
from benchmark.results.scan import scan_runs
from benchmark.running.runner import run_model
from benchmark.sweeping.forecast import forecast
from benchmark.sweeping.jobs import jobs_of, wishes_of
from benchmark.sweeping.sweep import Line, Sweep, folder_of
from benchmark.sweeping.sweep_file import SweepFile
from benchmark.sweeping.works import make_run
from tests.engine.in_process import InProcess
from tests.support import write_tiny
from tests.sweeping.models import ENTRIES, Sharing

Block = dict[str, Any]


@pytest.fixture(autouse=True)
def own_surroundings(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path_factory.getbasetemp() / "prepared-for-sweeps"
    monkeypatch.setenv("BENCHMARK_CACHE", str(cache))
    monkeypatch.setattr(
        "benchmark.sweeping.jobs.find", lambda name: ENTRIES.get(name) or find(name)
    )
    monkeypatch.setattr(Sharing, "made", [])
    monkeypatch.setattr(engine_module, "_BUSY", 0.0)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def _sweep(
    results: Path,
    *blocks: Block,
    before: Callable[[Work], object] = lambda work: None,
    ask_gpu: bool = False,
) -> tuple[list[Line], Sweep, list[str]]:
    """Carry out a sweep; return its lines, itself, and the keys of works in their order."""
    wishes = wishes_of(SweepFile.model_validate({"runs": blocks}), {}, "a file")
    engine = InProcess(before)
    with engine, Sweep("mine", wishes, engine, results, ask_gpu, lambda line: None) as sweep:
        return list(sweep.lines()), sweep, engine.begun


def _stored(results: Path) -> dict[str, RunRecord]:
    damaged: list[str] = []
    found = {run.info["run"]: run for run in scan_runs(results, damaged.append)}
    assert not damaged
    return found


def _states(lines: list[Line]) -> Counter[str]:
    return Counter(line.state for line in lines if line.kind == "run")


@pytest.fixture
def both(tiny_folder: Path) -> Block:
    load_dataset(tiny_folder)  # so that it is prepared, whichever test comes first
    return {"models": ["sharing", "sharing-too"], "datasets": [str(tiny_folder)], "seeds": [1, 2]}


def test_runs_are_those_of_one_command_each(results: Path, both: Block, tmp_path: Path) -> None:
    lines, sweep, _ = _sweep(results, both)
    assert _states(lines) == {"done": 4}
    (count,) = [count for _, count in sweep.shared]
    assert (count.name, count.made, count.used) == ("numbers", 1, 4) and len(Sharing.made) == 1
    assert not (results / "checkpoints").exists()
    data = load_dataset(Path(both["datasets"][0]))
    wishes = wishes_of(SweepFile.model_validate({"runs": [both]}), {}, "a file")
    jobs, _ = jobs_of(wishes, data, results, None, print)
    for job in jobs:
        alone = run_model(
            job.experiment, data, job.protocols, job.seed, "cpu", tmp_path / "alone", False
        ).record
        (line,) = [line for line in lines if line.job == job]
        assert line.record is not None and line.record.name == alone.folder.name
        own, other = ((f / "requests.parquet") for f in (line.record, alone.folder))
        assert own.read_bytes() == other.read_bytes()


def test_started_again_it_does_only_what_is_missing(results: Path, both: Block) -> None:
    _sweep(results, both)
    lines, sweep, begun = _sweep(results, both)
    assert (_states(lines), begun, sweep.shared) == ({"stored": 4}, [], [])
    lines, _, begun = _sweep(results, {**both, "seeds": [1, 2, 3]})
    assert _states(lines) == {"stored": 4, "done": 2} and len(begun) == 3
    assert len(_stored(results)) == 6


@pytest.mark.parametrize("at", range(5))
def test_stopped_anywhere_it_goes_on_and_makes_nothing_twice(
    results: Path, both: Block, at: int
) -> None:
    begun: list[str] = []

    def stop(work: Work) -> None:
        if len(begun) == at:
            raise KeyboardInterrupt
        begun.append(work.key)

    with pytest.raises(KeyboardInterrupt):
        _sweep(results, both, before=stop)
    stored = _stored(results)
    lines, sweep, again = _sweep(results, both)
    assert not {*begun} & {*again} and len(begun) + len(again) == 5
    assert _states(lines)["stored"] == len(stored) and len(_stored(results)) == 4
    assert [(count.made, count.used) for _, count in sweep.shared] == [(1, 4)]
    assert len(Sharing.made) == 1


def test_what_a_kill_behind_the_last_run_left_goes_away_with_the_next_sweep(
    results: Path, both: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[Path] = []

    def killed(folder: Path) -> None:
        left.append(folder)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("benchmark.sweeping.sweep.discard", killed)
        _sweep(results, both)
    (common,) = left
    assert common.exists()
    lock_file(common).touch()
    runs = _stored(results)
    lines, _, begun = _sweep(results, both)
    assert _states(lines).keys() == {"stored"} and not begun
    assert _stored(results).keys() == runs.keys()
    assert not (results / "checkpoints").exists()
    lock_file(common).parent.mkdir(parents=True)
    lock_file(common).touch()  # nothing but the lock
    _sweep(results, both)
    assert not (results / "checkpoints").exists()


def test_a_failed_run_leaves_the_rest_alone_and_what_is_shared_in_place(
    results: Path, both: Block
) -> None:
    failing = {**both, "set": {"fails": True, "sharing-too.fails": False}}
    lines, sweep, _ = _sweep(results, failing)
    assert _states(lines) == {"failed": 2, "done": 2}
    failed = [line for line in lines if line.state == "failed"]
    assert all("it fails, as it was told" in str(line.failure) for line in failed)
    assert all(line.log is not None and line.record is None for line in failed)
    assert [(count.made, count.used) for _, count in sweep.shared] == [(1, 4)]
    assert [*(results / "checkpoints").glob("common-*")]


def test_runs_that_stand_on_a_step_that_failed_are_told_so(results: Path, both: Block) -> None:
    impossible = {**both, "models": ["sharing"], "set": {"step": "impossible"}}
    lines, _, begun = _sweep(results, impossible, {**both, "models": ["popularity"]})
    assert _states(lines) == {"failed": 2, "done": 2}
    (step,) = [line for line in lines if line.kind == "step"]
    assert "not finite" in str(step.failure) and "impossible" not in step.title
    for line in lines:
        if line.kind == "run" and line.state == "failed":
            assert str(line.failure).startswith("not run, as tiny.numbers.")
    assert len(begun) == 3


def test_a_seed_that_decides_a_step_has_one_of_its_own(results: Path, both: Block) -> None:
    _, sweep, _ = _sweep(results, {**both, "set": {"seeded": True}})
    assert sorted((c.made, c.used) for _, c in sweep.shared) == [(1, 2), (1, 2)]
    assert sorted(Sharing.made) == [1, 2]


def test_a_step_of_one_run_only_is_its_own(results: Path, both: Block) -> None:
    _, _, begun = _sweep(results, {**both, "models": ["sharing"], "seeds": [1]})
    assert len(begun) == 1


def test_what_two_blocks_have_in_common_is_run_once(results: Path, both: Block) -> None:
    lines, _, _ = _sweep(results, both, {**both, "models": ["sharing"]})
    assert _states(lines) == {"done": 4}


def test_ablations_are_run_beside_the_whole(results: Path, both: Block) -> None:
    lines, sweep, _ = _sweep(results, {**both, "models": ["sharing"], "ablations": True})
    assert _states(lines) == {"done": 8}  # the whole, one part less, and each task alone
    assert [(count.made, count.used) for _, count in sweep.shared] == [(1, 8)]


def test_data_are_prepared_first_and_once(results: Path, tmp_path: Path, both: Block) -> None:
    write_tiny(tmp_path / "new", seed=1)
    lines, _, begun = _sweep(results, {**both, "datasets": ["new", both["datasets"][0]]})
    assert _states(lines) == {"done": 8}
    assert [line.title for line in lines if line.kind == "data"] == [f"data of {tmp_path / 'new'}"]
    assert begun[0].startswith("data.new.")


def test_a_rule_for_seen_items_has_runs_and_steps_of_its_own_on_the_same_data(
    results: Path, tmp_path: Path, both: Block
) -> None:
    block = {**both, "datasets": [str(write_tiny(tmp_path / "seen", seed=2))]}
    lines, sweep, _ = _sweep(results, block, {**block, "seen": "keep"})
    assert _states(lines) == {"done": 8} and len(_stored(results)) == 8
    assert [(count.made, count.used) for _, count in sweep.shared] == [(1, 4)] * 2


def test_the_same_data_in_two_folders_are_run_once(
    results: Path, tmp_path: Path, both: Block
) -> None:
    folders = [str(write_tiny(tmp_path / place / "tiny", seed=3)) for place in "ab"]
    lines, _, _ = _sweep(results, {**both, "datasets": folders})
    assert _states(lines) == {"done": 4}


def test_the_same_data_under_two_names_share_what_either_needs(
    results: Path, tmp_path: Path, both: Block
) -> None:
    folders = [write_tiny(tmp_path / place / "tiny", seed=3) for place in "ab"]
    for folder in folders:
        load_dataset(folder)
    own, other = ({**both, "datasets": [str(folder)]} for folder in folders)
    lines, sweep, _ = _sweep(results, own, {**other, "seeds": [2, 3, 4]})
    assert _states(lines) == {"done": 8}
    assert [(count.made, count.used) for _, count in sweep.shared] == [(1, 8)]
    assert not (results / "checkpoints").exists()


def test_a_forecast_tells_the_runs_of_data_that_are_not_prepared(
    results: Path, tmp_path: Path, both: Block
) -> None:
    folder = str(write_tiny(tmp_path / "unprepared", seed=4))
    whole = {**both, "models": ["sharing"], "ablations": True, "datasets": [folder]}
    blocks = [whole, {**both, "datasets": [folder]}]
    wishes = wishes_of(SweepFile.model_validate({"runs": blocks}), {}, "a file")
    before = forecast("mine", wishes, results, print)
    assert Counter(run.state for run in before.runs) == {"unprepared": 10}
    load_dataset(Path(folder))
    assert len(forecast("mine", wishes, results, print).open) == 10


def test_a_run_that_was_planned_by_other_code_is_refused_before_it_is_made(
    results: Path, both: Block
) -> None:
    data = load_dataset(Path(both["datasets"][0]))
    wishes = wishes_of(SweepFile.model_validate({"runs": [both]}), {}, "a file")
    job = jobs_of(wishes, data, results, None, print)[0][0]
    with pytest.raises(BenchmarkError, match=r"it would be run \S+, not another; this machine has"):
        make_run(replace(job, run_id="another"), results, results / "common")
    assert _stored(results) == {} and Sharing.made == []


def test_data_that_cannot_be_prepared_are_told_of_and_others_go_on(
    results: Path, tmp_path: Path, both: Block
) -> None:
    folder = write_tiny(tmp_path / "broken")
    (folder / "broken.inter").write_text("user_id:token\n")
    lines, _, _ = _sweep(results, {**both, "datasets": [str(folder), both["datasets"][0]]})
    assert _states(lines) == {"done": 4, "failed": 2}


def test_what_cannot_be_run_on_the_data_is_refused_alone(results: Path, both: Block) -> None:
    nothing = {**both, "models": ["sharing"], "tuned": True}
    given = {**both, "models": ["sharing-too"], "protocols": ["given"]}
    lines, _, _ = _sweep(results, nothing, given, {**both, "models": ["popularity"]})
    assert _states(lines) == {"failed": 2, "done": 2}
    told = {str(line.failure) for line in lines if line.failure}
    assert any("no search over settings" in each for each in told)
    assert any("has no such candidates" in each for each in told)


def test_a_run_that_somebody_else_is_at_is_waited_for(
    results: Path, both: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = iter(range(3))

    def busy(*_: object, **__: object) -> Any:
        if next(refusals, None) is not None:
            raise BusyError("somebody is at it")
        return original(*_, **__)

    original: Any = run_model
    monkeypatch.setattr("benchmark.sweeping.works.run_model", busy)
    lines, _, begun = _sweep(results, {**both, "models": ["popularity"], "seeds": [1]})
    assert _states(lines) == {"done": 1} and len(begun) == 4


def test_the_same_sweep_twice_at_a_time_is_refused(
    results: Path, both: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = folder_of(results, "mine")

    def other_process(file: Path, wait: float) -> Any:
        raise BusyError(f"{place}: is being written")

    with locked(place):
        monkeypatch.setattr("benchmark.sweeping.sweep.locked", other_process)
        with pytest.raises(BusyError):
            _sweep(results, both)


def test_workers_are_asked_for_a_gpu_before_anything_is_planned(results: Path, both: Block) -> None:
    lines, _, begun = _sweep(results, both, ask_gpu=True)
    assert begun[0] == "a look for a GPU" and _states(lines) == {"done": 4}


def test_a_look_for_a_gpu_that_failed_is_not_taken_for_a_no(
    results: Path, both: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> bool:
        raise BenchmarkError("the driver is too old")

    monkeypatch.setattr("benchmark.sweeping.sweep.sees_gpu", fail)
    with pytest.raises(BenchmarkError, match="a look for a GPU failed: the driver is too old"):
        _sweep(results, both, ask_gpu=True)
    assert not _stored(results)


def test_a_run_is_charged_for_a_step_that_it_found(
    results: Path, both: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = TrainingContext.kept

    def slowly(self: TrainingContext, name: str, make: Callable[[], Any]) -> Any:
        def made() -> Any:
            time.sleep(0.3)
            return make()

        return kept(self, name, made)

    monkeypatch.setattr(TrainingContext, "kept", slowly)
    _sweep(results, both)
    for run in _stored(results).values():
        (fit,) = [phase for phase in run.info["phases"] if phase["name"] == "fit"]
        assert 0.3 < fit["seconds"] < 10
