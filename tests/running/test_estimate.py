from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from baselines.popularity import Popularity
from benchmark.data.dataset import Dataset
from benchmark.data.requests import Task
from benchmark.errors import InputError
from benchmark.needs import Needs, Sizes
from benchmark.registry import ModelEntry, available, find
from benchmark.results.earlier import EarlierRun, earlier_runs
from benchmark.results.stored_files import read_info
from benchmark.running import estimate as estimating
from benchmark.running.estimate import (
    MIB,
    TOLERANCE,
    check_room,
    estimate,
    estimate_memory,
    this_machine,
)
from benchmark.running.memory import Room
from benchmark.running.plan import Experiment
from benchmark.settings import PRESETS, build_settings
from tests.results.records import record

ROOT = Path(__file__).resolve().parents[2]
LARGE = Sizes(
    users=10**6,
    items=10**7,
    queries=10**6,
    events=10**8,
    searches=3 * 10**7,
    busiest=500,
    meetings=10**10,
    item_bytes=5 * 10**8,
    query_bytes=2 * 10**7,
    log=102 * 10**6,
    listed=10**8,
    longest_list=100,
    asked={"validation": {"rec": 10**4, "search": 10**4}, "test": {"rec": 10**4, "search": 10**4}},
)
UNKNOWN = {("dsi", "paper"), ("gensar", "paper")}
"""Queries of theirs are written by a model of the hub, whose sizes are not known here."""


class Silent(Popularity):
    """Tells nothing of what it needs."""

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        return None


def experiment(name: str, preset: str = "quick", **changes: Any) -> Experiment:
    entry = find(name)
    kind = entry.load()
    settings = replace(build_settings(kind.Settings, kind.presets, preset), **changes)
    return Experiment(entry, settings, preset, tuple(map(Task, entry.tasks)))


def silent() -> Experiment:
    source = f"{__name__}:Silent"
    entry = ModelEntry("silent", ("rec", "search"), "baseline", "tells nothing", source)
    return Experiment(entry, Silent.Settings(), "quick", (Task.REC, Task.SEARCH))


@pytest.mark.parametrize("name", sorted(available()))
def test_every_model_tells_what_it_needs_and_more_of_more_items(name: str, tiny: Dataset) -> None:
    small = Sizes.of(tiny)
    for preset in PRESETS:
        plan = experiment(name, preset)
        one, many = (
            estimate_memory(plan, sizes, "cpu")
            for sizes in (small, replace(small, items=small.items + 1_000_000))
        )
        assert one.known == ((name, preset) not in UNKNOWN)
        assert all(size >= 0 for size in one.memory.values())
        assert one.host < many.host
        assert one.on_device == {}


def test_a_gpu_takes_the_network_and_the_host_what_is_left(tiny: Dataset) -> None:
    plan, sizes = experiment("sasrec"), replace(Sizes.of(tiny), items=2_000_000)
    cpu, gpu = (estimate_memory(plan, sizes, device) for device in ("cpu", "cuda"))
    assert gpu.gpu > 20 * 64 * 2_000_000
    assert gpu.memory["weights and checkpoints"] < cpu.memory["weights and optimiser"]


def test_sizes_survive_json(tiny: Dataset) -> None:
    sizes = Sizes.of(tiny)
    assert Sizes.from_json(json.loads(json.dumps(sizes.to_json()))) == sizes
    assert sizes.items == len(tiny.items)
    assert sizes.requests("test", (Task.REC,)) == len(tiny.evaluation["test", Task.REC])
    assert sizes.requests("test", (Task.REC, Task.SEARCH), 3) == 6


@pytest.mark.parametrize("name", ["popularity", "sasrec", "gensar"])
def test_what_cannot_fit_is_refused_in_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimating, "host_room", lambda: Room(2**30, "this machine"))
    with pytest.raises(InputError) as refused:
        check_room(experiment(name), LARGE, "cpu")
    told = str(refused.value)
    assert "\n" not in told
    assert "GiB for " in told and "this machine has 1.0 GiB for it" in told
    assert ("--set" in told) == (name != "popularity")


def test_what_may_not_fit_is_told_and_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tiny: Dataset
) -> None:
    plan, sizes = experiment("popularity"), Sizes.of(tiny)
    needed = estimate_memory(plan, sizes, "cpu").host
    for share, told in ((1.01, False), (0.9, True), (1.01 / TOLERANCE, True)):
        monkeypatch.setattr(estimating, "host_room", lambda s=share: Room(s * needed, "this"))
        check_room(plan, sizes, "cpu")
        assert ("it may not fit" in capsys.readouterr().err) == told
    monkeypatch.setattr(estimating, "host_room", lambda: Room(0.99 * needed / TOLERANCE, "this"))
    with pytest.raises(InputError, match="it needs about"):
        check_room(plan, sizes, "cpu")


def test_a_model_that_tells_nothing_is_unknown_not_small(
    monkeypatch: pytest.MonkeyPatch, tiny: Dataset
) -> None:
    found = estimate(silent(), Sizes.of(tiny), tiny.digest, "cpu")
    assert not found.known
    assert found.total is None
    assert "unknown" in found.source
    # What the harness itself takes is known, and enough to refuse.
    monkeypatch.setattr(estimating, "host_room", lambda: Room(100 * MIB, "this machine"))
    with pytest.raises(InputError, match="of memory at least"):
        check_room(silent(), Sizes.of(tiny), "cpu")


def earlier(plan: Experiment, sizes: Sizes | None, seconds: dict[str, float], **fields: Any) -> Any:
    settings = json.loads(json.dumps(asdict(plan.settings)))
    usual = EarlierRun(
        model=plan.entry.name,
        preset=plan.preset,
        settings=settings,
        tasks=tuple(map(str, plan.tasks)),
        dataset="some",
        digest="0" * 64,
        seed=1,
        device="cpu",
        machine=this_machine("cpu"),
        seconds=seconds,
        alone=seconds,
        peak_memory_mib=1.0,
        sizes=sizes,
        finished="2024-01-01T00:00:00+00:00",
        steps=None,
    )
    return replace(usual, **fields)


def test_the_same_run_says_how_long_it_lasts() -> None:
    plan = experiment("sasrec")
    runs = [earlier(plan, None, {"fit": fit, "evaluate": 1.0}) for fit in (10.0, 30.0, 20.0)]
    slower = earlier(plan, None, {"fit": 99.0, "evaluate": 1.0}, machine=("another", 1))
    found = estimate(plan, LARGE, "0" * 64, "cpu", [slower, *runs])
    assert (found.total, found.source) == (21.0, "3 earlier runs of the same kind")
    found = estimate(plan, LARGE, "0" * 64, "cpu", [slower])
    assert (found.total, found.source[-21:]) == (100.0, "on another, threads 1"[-21:])


def test_time_that_other_work_took_from_a_run_is_not_expected_again() -> None:
    plan = experiment("sasrec")
    run = earlier(plan, None, {"fit": 90.0, "evaluate": 2.0}, alone={"fit": 40.0, "evaluate": 1.0})
    assert estimate(plan, LARGE, "0" * 64, "cpu", [run]).total == 41.0


@pytest.mark.parametrize(
    ("device", "spent", "alone"), [("cpu", 1.5, 1.5), ("cpu", 3.0, 2.0), ("cuda", 0.5, 2.0)]
)
def test_a_record_tells_how_long_its_run_would_have_taken_alone(
    device: str, spent: float, alone: float, tmp_path: Path
) -> None:
    phase = {"name": "fit", "seconds": 2.0, "processor_seconds": spent, "memory_mib": 100.0}
    asked = {("rec", "full"): [1, 2]}
    record(tmp_path, "m", asked, phases=[phase], device=device)
    (run,) = earlier_runs([tmp_path, tmp_path / "."])
    assert (run.seconds, run.alone) == ({"fit": 2.0}, {"fit": alone})


def test_own_runs_come_after_those_of_others_and_the_latest_last(tmp_path: Path) -> None:
    others, own = tmp_path / "others", tmp_path / "own"
    asked = {("rec", "full"): [1, 2]}
    record(others, "m", asked, seed=1, finished="2026-01-01T00:00:00+00:00")
    record(own, "m", asked, seed=3, finished="2025-01-01T00:00:00+00:00")
    record(own, "m", asked, seed=2, finished="2025-06-01T00:00:00+00:00")
    assert [run.seed for run in earlier_runs([others, own])] == [1, 3, 2]


def test_runs_on_other_data_are_scaled_by_what_they_cost() -> None:
    plan, half = experiment("sasrec"), replace(LARGE, events=LARGE.events // 2)
    plan = replace(plan, settings=replace(plan.settings, minutes=0.0, steps=0, epochs=30))
    run = earlier(plan, half, {"fit": 100.0, "evaluate": 7.0})
    found = estimate(plan, LARGE, "1" * 64, "cpu", [run])
    assert found.seconds["fit"] == pytest.approx(200.0, rel=0.05)
    assert found.seconds["evaluate"] == pytest.approx(7.0)
    assert "scaled by operations" in found.source
    unknown = replace(run, sizes=None)
    assert "speed" in estimate(plan, LARGE, "1" * 64, "cpu", [unknown]).source


def test_twice_the_steps_take_twice_as_long() -> None:
    plan = experiment("unifiedssr")
    plan = replace(plan, settings=replace(plan.settings, minutes=0.0, steps=1000))
    run = earlier(plan, LARGE, {"fit/pretrain": 50.0, "fit": 80.0, "evaluate": 1.0})
    settings = replace(plan.settings, steps=2000)
    found = estimate(replace(plan, settings=settings), LARGE, "0" * 64, "cpu", [run])
    assert found.seconds["fit/pretrain"] == pytest.approx(100.0, rel=0.05)


def test_runs_of_other_models_or_on_a_gpu_say_nothing() -> None:
    plan = experiment("sasrec")
    run = earlier(plan, LARGE, {"fit": 1.0, "evaluate": 1.0}, device="cuda", machine=("H100", 0))
    other = earlier(experiment("bm25"), LARGE, {"fit": 1.0, "evaluate": 1.0})
    assert "speed" in estimate(plan, LARGE, "0" * 64, "cpu", [run, other]).source


def test_earlier_runs_are_read_from_records() -> None:
    runs = earlier_runs([ROOT / "results" / "published"], ["sasrec"])
    assert {run.model for run in runs} == {"sasrec"}
    folder = next((ROOT / "results" / "published" / "runs" / "ml-100k" / "sasrec").iterdir())
    info = read_info(folder)
    own = next(r for r in runs if (r.dataset, r.seed) == ("ml-100k", info["seed"]))
    assert own.total == sum(p["seconds"] for p in info["phases"] if "/" not in p["name"])
    assert own.machine == (info["environment"]["cpu"], info["environment"]["threads"])


def test_records_that_cannot_be_read_say_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "some" / "sasrec" / "quick-s1-0"
    folder.mkdir(parents=True)
    for text in ("", "[]", '{"schema": 2}', "{"):
        (folder / "run.json").write_text(text)
        assert earlier_runs([tmp_path, tmp_path / "gone"]) == []


def peak_of(name: str, folder: Path, tmp_path: Path, *options: str) -> tuple[float, float]:
    """Return the measured and the estimated peak of a run in a process of its own, in MiB."""
    command = [sys.executable, "-m", "benchmark", "run", "--model", name, "--preset", "quick"]
    environment = {**os.environ, "BENCHMARK_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--dataset", str(folder), "--json", "--results", str(tmp_path), *options],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    (info,) = json.loads(done.stdout)
    kind = find(name).load()
    plan = replace(
        experiment(name),
        settings=kind.Settings(**info["settings"]),
        tasks=(*map(Task, info["tasks"]),),
    )
    found = estimate_memory(plan, Sizes.from_json(info["sizes"]), "cpu")
    return info["peak_memory_mib"], found.host / MIB


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a data set whose catalogue is large beside its 1,600 events."""
    folder = tmp_path_factory.mktemp("data") / "large"
    folder.mkdir()
    events = ((user, 101 * user + 7 * step, step) for user in range(200) for step in range(8))
    rows = ["user_id:token\titem_id:token\ttimestamp:float"]
    rows += [f"u{user}\ti{item}\t{1000 + step}" for user, item, step in events]
    (folder / "large.inter").write_text("\n".join(rows) + "\n")
    items = ["item_id:token\ttitle:token_seq", *(f"i{i}\tword{i % 97}" for i in range(40_000))]
    (folder / "large.item").write_text("\n".join(items) + "\n")
    return folder


# Processes of their own, which import torch and train: some seconds each, as a peak is a process's.
@pytest.mark.parametrize("name", ["popularity", "bm25", "item-knn", "sasrec"])
def test_measured_peaks_are_as_estimated(name: str, tiny_folder: Path, tmp_path: Path) -> None:
    measured, estimated = peak_of(name, tiny_folder, tmp_path)
    assert measured / TOLERANCE < estimated < TOLERANCE * measured


def test_the_measured_peak_of_large_tables_is_as_estimated(large: Path, tmp_path: Path) -> None:
    options = ["--protocol", "full", *(f"--set={each}" for each in ("width=256", "epochs=1"))]
    measured, estimated = peak_of("sasrec", large, tmp_path, *options)
    assert estimated > 800  # half of it are tables of 10 million weights, with optimiser
    assert measured / TOLERANCE < estimated < TOLERANCE * measured
