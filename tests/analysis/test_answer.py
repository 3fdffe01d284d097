"""A board's answer says what its tables say, and what its doubt comes from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmark.analysis.answer import answer_of, telling
from benchmark.analysis.leaderboard import Leaderboard, boards
from benchmark.report.answer import answer_lines, telling_grid
from benchmark.results.scan import scan_runs
from tests.results.records import record

REC, SEARCH = ("rec", "full"), ("search", "full")


def board_of(folder: Path) -> Leaderboard:
    (board,) = boards(scan_runs(folder, pytest.fail))
    return board


def write(
    folder: Path, model: str, rec: list[int] | None, search: list[int] | None, seed: int = 1
) -> None:
    asked = {key: ranks for key, ranks in ((REC, rec), (SEARCH, search)) if ranks is not None}
    record(folder, model, asked, seed=seed, tasks=[task for task, _ in asked])


@pytest.fixture
def plain(tmp_path: Path) -> Leaderboard:
    """Both models that serve both are alike in search; one is far better in recommendation."""
    for seed in (1, 2, 3):
        write(tmp_path, "both", [0] * 60, [1] * 60, seed)
        write(tmp_path, "half", [8] * 60, [1] * 60, seed)
        write(tmp_path, "words", None, [9] * 60, seed)
    return board_of(tmp_path)


def test_the_best_are_those_that_the_tables_cannot_tell_apart(plain: Leaderboard) -> None:
    answer = answer_of(plain)
    rec, search = answer.tasks
    assert [row.entry.label for row in rec.best] == ["both"]
    assert {row.entry.label for row in search.best} == {"both", "half"}
    assert (rec.others, search.others) == (1, 1)
    assert answer.both == ("both",)
    assert (rec.seeds, rec.requests) == ((3, 3), 60)
    for each in answer.tasks:
        table = plain.main_table(each.task)
        assert table is not None
        assert each.best == tuple(row for row in table.rows if row.top)


def test_a_model_of_each_task_is_none_for_both(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        write(tmp_path, "recommends", [0] * 60, [9] * 60, seed)
        write(tmp_path, "searches", [9] * 60, [0] * 60, seed)
    board = board_of(tmp_path)
    answer = answer_of(board)
    assert answer.both == ()
    assert set(answer.front) == {"recommends", "searches"}
    said = dict(answer_lines(board))["Both at once"]
    assert said.startswith("no model is among the best in both tasks; of those that serve both")


def test_sentences_name_them(plain: Leaderboard) -> None:
    said = dict(answer_lines(plain))
    assert said["Recommendation"].startswith("both is best, with NDCG@10 1.000")
    assert "cannot be told from the best" in said["Search"]
    assert said["Both at once"] == "both is among the best in both tasks."
    assert "60 requests, 3 seeds" in said["How sure"]


def test_the_telling_rows_are_taken_from_the_top_of_both_tasks(plain: Leaderboard) -> None:
    assert telling(plain, 2) == ["both", "half"] or telling(plain, 2) == ["both"]
    assert set(telling(plain, 9)) == {"both", "half", "words"}
    grid = telling_grid(plain)
    line = next(line for line in grid.body if line[0].text == "words")
    assert [cell.text for cell in line[1:3]] == ["", ""]
    assert line[3].text.startswith("0.")


@pytest.mark.parametrize(("spread", "doubt"), [(0, "requests"), (6, "trainings")])
def test_doubt_is_of_what_varies_most(tmp_path: Path, spread: int, doubt: str) -> None:
    rng = np.random.default_rng(0)
    hard = rng.integers(0, 9, 80)
    for model in ("a", "b"):
        for seed in (1, 2, 3):
            own = spread * (seed % 3) + rng.permutation(hard)
            write(tmp_path, model, own.tolist(), None, seed)
    board = board_of(tmp_path)
    (rec,) = answer_of(board).tasks
    assert rec.doubt == doubt
    surer = [text for head, text in answer_lines(board) if head.startswith("What would")]
    assert any("seeds" in text if doubt == "trainings" else "users" in text for text in surer)


def test_single_trainings_ask_for_more_of_them(tmp_path: Path) -> None:
    write(tmp_path, "a", [0, 1, 2, 3] * 9, None)
    write(tmp_path, "b", [1, 0, 3, 2] * 9, None)
    (rec,) = answer_of(board_of(tmp_path)).tasks
    assert (rec.question, rec.doubt) == ("requests", "trainings")
    said = dict(answer_lines(board_of(tmp_path)))
    assert "not of other trainings" in said["How sure"]
    assert "3 at least" in said["What would make it surer"]


def test_one_model_alone_is_best(tmp_path: Path) -> None:
    write(tmp_path, "a", [0, 1, 2, 3] * 9, None)
    board = board_of(tmp_path)
    (rec,) = answer_of(board).tasks
    assert (rec.closest, rec.doubt, rec.others) == (None, "none", 0)
    assert answer_of(board).both == ()
    assert dict(answer_lines(board))["Recommendation"].startswith("a is best, with NDCG@10 0.")


def test_the_best_is_held_against_what_does_not_answer_just_the_same(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        for model, ranks in (("one", [0, 1] * 30), ("twin", [0, 1] * 30), ("next", [1, 1] * 30)):
            write(tmp_path, model, ranks, None, seed)
    (rec,) = answer_of(board_of(tmp_path)).tasks
    assert rec.closest is not None
    assert {rec.closest.a, rec.closest.b} == {"one", "next"}
