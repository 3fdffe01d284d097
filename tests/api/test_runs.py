"""Runs, boards and comparisons as a notebook has them, against the command line and the records."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import benchmark as sr
from benchmark.data.dataset import Dataset
from benchmark.errors import BenchmarkError, InputError


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="module")
def runs(tiny: Dataset, results: Path) -> sr.Runs:
    return sr.run(["popularity", "item-knn", "bm25"], tiny, seeds=2, results=results)


def test_runs_are_those_of_the_command_line(
    runs: sr.Runs, results: Path, tiny_folder: Path
) -> None:
    asked = ["run", "--model", "popularity,item-knn,bm25", "--dataset", str(tiny_folder)]
    how = ["--seeds", "1,2", "--results", str(results), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", *asked, *how], check=True, capture_output=True
    )
    told = json.loads(done.stdout)
    assert all(each["reused"] for each in told)
    assert [each["run"] for each in told] == [record.info["run"] for record in runs]


def test_runs_are_told_apart_and_found_by_name(runs: sr.Runs, results: Path) -> None:
    assert len(runs) == 6
    assert {record.info["model"] for record in runs["bm25"]} == {"bm25"}
    assert len(runs[:2]) == 2
    assert runs[0].info["model"] == "popularity"
    with pytest.raises(InputError, match=r"no run of model 'bm52'.*did you mean 'bm25'"):
        runs["bm52"]
    read = sr.read(results)
    assert {r.info["run"] for r in read} == {r.info["run"] for r in runs}
    assert len(sr.read(results, model="item-knn")) == 2
    assert sr.read(runs[0].folder)[0].info == runs[0].info
    with pytest.raises(InputError, match="no such folder"):
        sr.read(results / "nowhere")
    with pytest.raises(InputError, match="no run of dataset 'other'"):
        sr.read(results, dataset="other")


def test_a_frame_holds_what_the_records_tell(runs: sr.Runs) -> None:
    frame = runs.to_frame()
    for record in runs:
        for task, protocols in record.info["metrics"].items():
            for protocol, means in protocols.items():
                (row,) = frame[
                    (frame["run"] == str(record.folder))
                    & (frame["task"] == task)
                    & (frame["protocol"] == protocol)
                ].to_dict("records")
                assert {name: row[name] for name in means} == means
    requests = runs.requests("ndcg@10", "MRR@5")
    means = requests.groupby(["model", "seed", "task", "protocol"])[["ndcg@10", "mrr@5"]].mean()
    whole = frame.set_index(["model", "seed", "task", "protocol"])[["ndcg@10", "mrr@5"]]
    assert np.allclose(means.sort_index(), whole.sort_index())


def test_a_board_is_a_frame_a_page_and_a_picture(runs: sr.Runs) -> None:
    boards = runs.leaderboard()
    frame = boards.to_frame()
    best = frame[(frame["task"] == "rec") & (frame["protocol"] == "full")].iloc[0]
    assert (best["model"], best["seeds"], best["top"]) == ("item-knn", 2, True)
    assert best["low"] <= best["mean"] <= best["high"]
    for text in (runs._repr_html_(), boards.to_markdown(), boards.to_html(), repr(boards)):
        assert "item-knn" in text
    assert "<script" not in runs._repr_html_()
    figure = runs.plot()
    panels = [axes for axes in figure.axes if axes.axison]
    named = [[label.get_text() for label in axes.get_yticklabels()] for axes in panels]
    rows = [frame[(frame["task"] == task) & (frame["protocol"] == "full")
                  & (frame["metric"] == "ndcg@10")] for task in ("rec", "search")]  # fmt: skip
    assert named == [part["model"].tolist() for part in rows]
    with pytest.raises(ValueError, match="no run"):
        sr.Runs([]).plot()


def test_two_runs_are_compared(runs: sr.Runs) -> None:
    a, b = runs["popularity"][0], runs["item-knn"][0]
    frame = sr.compare(a, b, "ndcg@10").to_frame()
    row = frame[(frame["task"] == "rec") & (frame["protocol"] == "full")].iloc[0]
    means = [run.info["metrics"]["rec"]["full"]["ndcg@10"] for run in (a, b)]
    assert [row["a"], row["b"]] == pytest.approx(means)
    assert row["low"] <= row["difference"] <= row["high"]
    assert row["difference"] == pytest.approx(means[1] - means[0])
    assert sr.compare(a.folder, runs["item-knn"][:1], "ndcg@10").to_frame().equals(frame)
    with pytest.raises(InputError, match="a: 6 runs"):
        sr.compare(runs, b)


def test_tiers_of_runs_are_those_of_the_board(runs: sr.Runs) -> None:
    rows = runs.requests().query("task == 'rec' and protocol == 'full'")
    scores = rows.rename(columns={"model": "system", "request": "item", "ndcg@10": "score"})
    scores["cluster"] = scores["user"]
    found = sr.tiers(scores[["system", "item", "score", "seed", "cluster"]]).to_frame()
    board = runs.leaderboard().to_frame()
    board = board.query("task == 'rec' and protocol == 'full' and metric == 'ndcg@10'")
    assert found["system"].tolist() == board["model"].tolist()
    assert found["letters"].tolist() == board["letters"].tolist()
    assert found["rank_high"].tolist() == board["rank_high"].tolist()


def test_settings_go_to_all_models_or_to_one(tiny: Dataset, tmp_path: Path) -> None:
    done = sr.run(
        ["item-knn", "bm25"],
        tiny,
        settings={"bm25": {"k1": 0.9}, "shrinkage": 3.0},
        results=tmp_path,
    )
    told = {record.info["model"]: record.info["changed"] for record in done}
    assert told["bm25"] == {"k1": 0.9}
    assert told["item-knn"] == {"shrinkage": 3.0}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"models": []}, "at least one model"),
        ({"models": "populaity"}, "did you mean 'popularity'"),
        ({"models": "popularity", "preset": "quik"}, "quik"),
        ({"models": "popularity", "seeds": ()}, "seeds"),
        ({"models": "popularity", "seeds": [-1]}, "seed -1"),
        ({"models": "popularity", "settings": {"width": 3}}, "unknown setting"),
        ({"models": "popularity", "protocols": ["given"]}, "given"),
    ],
)
def test_what_cannot_be_run_is_told(
    tiny: Dataset, tmp_path: Path, asked: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        sr.run(dataset=tiny, results=tmp_path, **asked)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_one_that_fails_leaves_the_others(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from baselines.bm25 import BM25

    def broken(*_: object) -> None:
        raise BenchmarkError("no words today")

    monkeypatch.setattr(BM25, "fit", broken)
    done = sr.run(["popularity", "bm25"], tiny, results=tmp_path)
    assert [each.reason for each in done.failures] == ["model bm25, seed 1: no words today"]
    assert [record.info["model"] for record in done] == ["popularity"]
    with pytest.raises(BenchmarkError, match="no words today"):
        sr.run("bm25", tiny, results=tmp_path)


def test_the_face_is_light_and_whole() -> None:
    code = (
        "import sys, benchmark as sr; assert not {'numpy', 'pandas', 'torch'} & {*sys.modules};"
        "assert all(getattr(sr, name) is not None for name in sr.__all__);"
        "assert {*sr.__all__} <= {*dir(sr)}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sr.nothing  # noqa: B018
