from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.results.records import record

from .conftest import Command, assert_refused

FULL, SEARCH = ("rec", "full"), ("search", "full")


@pytest.fixture
def runs(command: Command, tiny_folder: Path) -> list[str]:
    done = command(
        "run",
        "--model",
        "popularity,random",
        "--dataset",
        tiny_folder,
        "--json",
        "--tasks",
        "rec,search",
    )
    return [f"results/runs/{r['dataset']}/{r['model']}/{r['run']}" for r in done.json]


def test_two_runs_are_compared_in_numbers_and_in_words(
    command: Command, runs: list[str], tiny_folder: Path
) -> None:
    place = ["--dataset", tiny_folder]
    found = command("compare", *runs, *place, "--metric", "mrr@20", "--json")
    assert (found.status, found.err) == (0, "")
    asked = {(each["task"], each["protocol"]) for each in found.json}
    assert asked == {(t, p) for t in ("rec", "search") for p in ("full", "sampled")}
    shown = command("compare", *runs, *place, "--metric", "mrr@20")
    assert shown.status == 0
    assert "would other requests show the difference between these two trainings?" in shown.out
    for each in found.json:
        assert each["metric"] == "mrr@20"
        assert each["question"] == "requests"
        assert each["win"] + each["tie"] + each["loss"] == each["requests"]
        assert set(each["p"]) == {"randomisation", "t", "wilcoxon"}
        assert each["interval"][0] <= each["difference"] <= each["interval"][1]
        assert f"{each['difference']:+.4f}" in shown.out
        for example in (*each["gains"], *each["losses"]):
            for name in ("user", "item", "title"):
                assert example[name] in shown.out
            assert example["user"][0] + example["item"][0] == "ui"
            assert (example["query_id"] is None) == (each["task"] == "rec")
            assert (example["query"] == "") == (each["task"] == "rec")


def test_without_the_data_set_examples_are_numbered(command: Command, tmp_path: Path) -> None:
    a = record(tmp_path, "a", {FULL: [0, 5, 9, 3]})
    b = record(tmp_path, "b", {FULL: [0, 1, 9, 7]})
    found = command("compare", a.folder, b.folder, "--json")
    assert found.err.startswith("examples have no titles: ")
    assert found.err.count("\n") == 1
    ndcg = found.json[0]
    assert [(e["request"], e["item"]) for e in ndcg["gains"]] == [(1, 1)]
    assert [(e["request"], e["rank_a"], e["rank_b"]) for e in ndcg["losses"]] == [(3, 4.0, 8.0)]
    assert command("compare", a.folder, b.folder, "--examples", 0).err == ""


def test_a_run_against_itself_is_valid_json_and_a_table(command: Command, tmp_path: Path) -> None:
    run = record(tmp_path, "a", {FULL: [0, 5, 9, 3]})
    found = command("compare", run.folder, run.folder, "--json", "--examples", 0)
    assert found.json[0]["effect"] == [0.0, 0.0, 0.0]
    moved = record(tmp_path, "b", {FULL: [1, 1]})
    still = record(tmp_path, "c", {FULL: [0, 0]})
    found = command("compare", moved.folder, still.folder, "--json", "--examples", 0)
    assert found.json[0]["effect"] == [None, None, None]
    assert "n/a" in command("compare", moved.folder, still.folder, "--examples", 0).out


def refused(tmp_path: Path) -> dict[str, list[Any]]:
    a = record(tmp_path, "a", {FULL: [0, 5]}).folder
    damaged = record(tmp_path, "d", {FULL: [0, 5]}).folder
    (damaged / "requests.parquet").write_bytes(b"PAR1")
    return {
        "no run": [a, tmp_path / "nowhere"],
        "a damaged run": [a, damaged],
        "other candidates": [
            a,
            record(tmp_path, "b", {FULL: [1, 2]}, candidates_digest="e" * 64).folder,
        ],
        "other tasks": [a, record(tmp_path, "c", {SEARCH: [1, 2]}).folder],
        "an unknown metric": [a, a, "--metric", "ndgc@10"],
        "an unknown data set": [a, a, "--dataset", "nowhere"],
        "fewer than no examples": [a, a, "--examples", "-1"],
        "one run": [a],
    }


def test_bad_input_is_refused_in_one_line(command: Command, tmp_path: Path) -> None:
    for what, arguments in refused(tmp_path).items():
        done = command("compare", *arguments)
        assert done.status == 2, what
        assert_refused(done)
        if what == "no run":
            assert "nowhere: no such folder" in done.err


def test_the_question_is_answered_in_words(command: Command, tmp_path: Path) -> None:
    results, full = tmp_path / "results", ("rec", "full")
    ranks = {"best": [0] * 40, "worst": [9] * 40, "even": [0, 9] * 20, "odd": [9, 0] * 20}
    for model, places in ranks.items():
        record(results, model, {full: places}, users=list(range(40)))

    def verdict(a: str, b: str) -> str:
        said = " ".join(command("compare", a, b, "--examples", 0).out.split())
        return said.partition("- rec, full, ndcg@10: ")[2].partition(" What the figures are")[0]

    assert verdict("best", "worst").startswith("yes, a: best is 0.7109 higher")
    assert verdict("worst", "best").startswith("yes, b: best is 0.7109 higher")
    assert verdict("best", "best") == "both are the same."
    assert verdict("even", "odd").startswith("no, other requests may turn it")
