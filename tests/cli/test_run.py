from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from baselines.popularity import Popularity
from benchmark.cli.plan import plan_models
from benchmark.registry import ModelEntry
from benchmark.results.record import RunRecord
from benchmark.results.scan import scan_runs
from perf.load_data import Size, write_folder

from .conftest import Command, Done, assert_refused, assert_stopped


def stored(results: Path) -> list[RunRecord]:
    damaged: list[str] = []
    runs = list(scan_runs(results, damaged.append))
    assert not damaged
    return runs


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the seed of every training."""
    seeds: list[int] = []
    fit = Popularity.fit

    def counted(self: Popularity, train: Any, validation: Any, context: Any) -> None:
        seeds.append(context.seed)
        fit(self, train, validation, context)

    monkeypatch.setattr(Popularity, "fit", counted)
    return seeds


@pytest.fixture
def carded(tiny_folder: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for file in tiny_folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    kinds = ("inter", "item", "query")
    files = "".join(f"  {kind}: {{name: tiny.{kind}}}\n" for kind in kinds)
    text = "name: carded\ndescription: d\nsource: s\nlicence: l\ncitation: c\nfiles:\n" + files
    (folder / "card.yaml").write_text(text, encoding="utf-8")
    return folder


def test_a_run_is_recorded_and_shown(popularity: Command, tmp_path: Path) -> None:
    done = popularity()
    assert done.status == 0
    (run,) = stored(tmp_path / "results")
    assert run.folder.parent == tmp_path / "results" / "runs" / "tiny" / "popularity"
    assert run.folder.name.startswith("standard-s1-")
    for task in ("rec", "search"):
        for protocol in ("full", "sampled"):
            means = run.info["metrics"][task][protocol]
            cells = ["popularity", "1", task, protocol, f"{means['ndcg@10']:.4f}"]
            assert any(_cells(line)[:5] == cells for line in done.out.splitlines())


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_json_is_one_document_that_holds_the_records(popularity: Command, tmp_path: Path) -> None:
    done = popularity("--json", "--seeds", "1,2")
    runs = {run.info["seed"]: run.info for run in stored(tmp_path / "results")}
    assert done.json == [{"reused": False, **runs[seed]} for seed in (1, 2)]


def test_the_same_request_finds_its_run(
    popularity: Command, tmp_path: Path, fits: list[int]
) -> None:
    popularity()
    (first,) = stored(tmp_path / "results")
    again = popularity()
    assert "(stored)" in again.out
    assert [row["reused"] for row in popularity("--json").json] == [True]
    assert stored(tmp_path / "results") == [first]
    assert fits == [1]


def test_fresh_runs_again(popularity: Command, tmp_path: Path, fits: list[int]) -> None:
    popularity()
    done = popularity("--fresh", "--json")
    assert done.json[0]["reused"] is False
    assert fits == [1, 1]
    assert len(stored(tmp_path / "results")) == 1


def test_a_damaged_run_is_told_and_run_again(
    popularity: Command, tmp_path: Path, fits: list[int]
) -> None:
    popularity()
    (run,) = stored(tmp_path / "results")
    (run.folder / "requests.parquet").write_bytes(b"")
    done = popularity()
    assert done.status == 0
    assert "requests.parquet differs from its checksum" in done.err
    assert len(stored(tmp_path / "results")) == 1
    assert fits == [1, 1]


def test_every_seed_is_a_run(popularity: Command, tmp_path: Path, fits: list[int]) -> None:
    popularity("--seeds", "3, 1,3")
    assert fits == [3, 1]
    popularity("--seed", 4)
    assert [run.info["seed"] for run in stored(tmp_path / "results")] == [1, 3, 4]


@pytest.mark.parametrize(
    "arguments", [["--seed", "2"], ["--tasks", "rec"], ["--protocol", "full"], ["--seen", "keep"]]
)
def test_another_request_is_another_run(
    popularity: Command, tmp_path: Path, arguments: list[str]
) -> None:
    popularity()
    popularity(*arguments)
    assert len(stored(tmp_path / "results")) == 2


def test_only_the_tasks_and_protocols_asked_for_are_run(
    popularity: Command, tmp_path: Path
) -> None:
    popularity("--tasks", "search", "--protocol", "sampled")
    (run,) = stored(tmp_path / "results")
    assert {t: list(p) for t, p in run.info["metrics"].items()} == {"search": ["sampled"]}
    assert set(run.requests()["task"]) == {"search"}


def test_settings_reach_the_models_they_are_meant_for(
    command: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    base = ["run", "--dataset", tiny_folder, "--results", "r"]
    command(*base, "--model", "bm25")
    command(*base, "--model", "popularity,bm25", "--set", "bm25.k1=0.9", "--set", "b=0.5")
    runs = {run.info["run"]: run.info for run in stored(tmp_path / "r")}
    found = [(i["model"], i["settings"].get("k1"), i["settings"].get("b")) for i in runs.values()]
    assert sorted(found, key=str) == [
        ("bm25", 0.9, 0.5),
        ("bm25", 1.2, 0.75),
        ("popularity", None, None),
    ]


def test_choices_made_for_a_bare_folder_are_told_on_stderr(popularity: Command) -> None:
    done = popularity()
    assert "no card in" in done.err
    assert "leave-one-out" in done.err
    assert "leave-one-out" not in done.out


def test_a_log_has_a_line_with_the_time_where_a_run_starts_and_ends(
    command: Command, carded: Path
) -> None:
    patterns = [
        r"popularity on carded, .*: finished in \d+\.\d s",
        "stored already, .*popularity.*",
    ]
    for last in patterns:
        done = command("run", "--model", "popularity", "--dataset", carded)
        told = [line for line in done.err.splitlines() if "popularity" in line]
        time = r"\d\d:\d\d:\d\d "
        start = "popularity on carded, seed 1, preset standard: started"
        assert re.fullmatch(time + start, told[0])
        assert re.fullmatch(time + last, told[-1])


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_person_sees_progress_on_stderr_only(
    popularity: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = _Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    shown = popularity()
    assert "popularity on tiny, seed 1" in screen.getvalue()
    assert "evaluating rec" in screen.getvalue()
    assert "seed 1, preset" not in shown.out
    assert "evaluating" not in shown.out
    popularity()
    assert "stored already" in screen.getvalue()


def test_paths_are_shown_whole_and_as_they_are(popularity: Command, tmp_path: Path) -> None:
    results = tmp_path / "[bold]" / ("long" * 60) / ":smile:"
    done = popularity("--results", results)
    (run,) = stored(results)
    assert str(run.folder) in done.out


def test_ctrl_c_leaves_nothing_half_written(
    popularity: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Popularity, "fit", interrupted)
        done = popularity()
    _assert_interrupted(done)
    assert not list(tmp_path.rglob("run.json"))
    assert popularity().status == 0
    with monkeypatch.context() as patch:
        patch.setattr(Popularity, "save", interrupted)
        _assert_interrupted(popularity("--seed", 2))
    (run,) = stored(tmp_path / "results")
    assert [p.name for p in run.folder.parent.iterdir()] == [run.folder.name]


def _assert_interrupted(done: Done) -> None:
    assert (done.status, done.out) == (130, "")
    assert "Traceback" not in done.err
    assert done.err.strip().splitlines()[-1].startswith("error: interrupted")


def test_the_signal_itself_ends_without_a_traceback(tiny_folder: Path, tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, time\n"
        "from baselines.popularity import Popularity\n"
        "from benchmark.cli import main\n"
        # A shell's background job is born deaf to the signal, and its children are too.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def fit(*arguments):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(30)\n"
        "Popularity.fit = fit\n"
        f"sys.argv[1:] = ['run', '--model', 'popularity', '--dataset', {str(tiny_folder)!r}]\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    _assert_interrupted(Done(done.returncode, done.stdout, done.stderr))
    assert not list(tmp_path.rglob("run.json"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_results_that_cannot_be_written_are_refused_before_training(
    popularity: Command, tmp_path: Path, fits: list[int]
) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    assert_refused(popularity("--results", tmp_path / "locked" / "r"))
    assert fits == []


def test_a_leaderboard_of_real_runs(command: Command, tiny_folder: Path, tmp_path: Path) -> None:
    command("run", "--model", "popularity,bm25,random", "--dataset", tiny_folder)
    done = command("leaderboard", "--format", "json")
    tables = {(t["task"], t["protocol"], t["metric"]): t for t in done.json["tables"]}
    rows = tables["search", "full", "ndcg@10"]["rows"]
    assert [row["model"] for row in rows] == ["bm25", "popularity"]
    for run in stored(tmp_path / "results"):
        for task, protocols in run.info["metrics"].items():
            for protocol, means in protocols.items():
                for row in tables[task, protocol, "ndcg@10"]["rows"]:
                    if row["model"] == run.info["model"]:
                        assert row["mean"] == pytest.approx(means["ndcg@10"], abs=1e-12)


@dataclass(frozen=True)
class _Size:
    size: int = 8
    depth: int = 1


class Sized(Popularity):
    Settings = _Size


def test_a_setting_with_a_models_name_leaves_other_models_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def find(name: str) -> ModelEntry:
        return ModelEntry(name, ("rec",), "external", "", f"{__name__}:Sized")

    monkeypatch.setattr("benchmark.registry.find", find)
    assignments = ["a.size=2", "depth=3", "b.depth=4"]
    plans = plan_models(["a", "b"], None, "standard", assignments)
    assert [plan.settings for plan in plans] == [_Size(2, 3), _Size(8, 4)]


def test_data_with_given_lists_alone_go_all_the_way(command: Command, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "big", Size.of(4000), protocols=("given",))
    command("run", "--model", "popularity,bm25", "--dataset", folder)
    for run in stored(tmp_path / "results"):
        asked = {task: list(protocols) for task, protocols in run.info["metrics"].items()}
        assert asked == {task: ["given"] for task in run.info["tasks"]}
        assert "hard" not in run.requests()
    shown = command("leaderboard", "--results", "results").out
    assert "of the data's own lists" in shown
    assert "given candidates" in shown
    assert "whole catalogue" not in shown
    brief = command("leaderboard", "--results", "results", "--brief").out
    assert "popularity" in brief and "bm25" in brief
    for where in ("--protocol", "full"), ("--protocol", "given,sampled"):
        refused = command("run", "--model", "popularity", "--dataset", folder, *where)
        assert_stopped(refused)
        assert "big has no such candidates, but given" in refused.err
    assert command("data", "audit", folder).status == 0
    assert command("check", "--results", "results", "--baseline", "results").status == 0
