"""What boards tell of a model beside its measures: how its training ended, and what it is given."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from benchmark.analysis.leaderboard import boards
from benchmark.given import Given
from benchmark.report.given_grid import given_grids
from benchmark.report.markdown import to_markdown
from benchmark.results.scan import scan_runs
from tests.report.study import FULL
from tests.results.records import record

USERS = 12


def _told(stopped_by: str, rise: float | None) -> dict[str, Any]:
    return {"steps": 9, "stopped_by": stopped_by, "last_doubling": rise}


def test_a_training_that_a_cap_ended_is_marked_with_what_it_was_gaining(tmp_path: Path) -> None:
    ended = [
        ("ended", 1, {"net": _told("validation", 0.02)}),
        ("ended", 2, {"net": _told("validation", 0.04)}),
        ("cut", 1, {"net": _told("validation", 0.1), "tuning": _told("cap", 0.25)}),
        ("cut", 2, {"net": _told("validation", 0.1), "tuning": _told("validation", None)}),
        ("old", 1, None),
    ]
    for model, seed, told in ended:
        facts = {} if told is None else {"trainings": told}
        record(tmp_path, model, {FULL: [0] * USERS}, seed=seed, facts=facts)
    (board,) = boards(scan_runs(tmp_path, pytest.fail))
    rows = {row.entry.label: row.entry for row in board.tables[0].rows}
    assert {name: entry.capped for name, entry in rows.items()} == {
        "ended": False,
        "cut": True,
        "old": False,
    }
    assert rows["ended"].last_doubling == pytest.approx(0.03)
    assert rows["cut"].last_doubling == pytest.approx(0.175)
    assert rows["old"].last_doubling is None
    text = to_markdown([board])
    assert "2.0 s, +3% " in text
    assert "2.0 s, +18% ↑" in text or "2.0 s, +17% ↑" in text
    assert "↑ the cap of the budget ended a training" in text


def test_what_models_are_given_stands_in_a_table_of_its_own(tmp_path: Path) -> None:
    told = {
        "silent": None,
        "counting": {**asdict(Given(longest_history=0))},
        "reading": {**asdict(Given(item_text=True, encoder="mini", encoder_parameters=22_700_000))},
        "short": {**asdict(Given(times="gaps", rec_targets="rec", longest_history=1500))},
    }
    for model, each in told.items():
        record(tmp_path, model, {FULL: [0] * USERS}, given=each)
    (board,) = boards(scan_runs(tmp_path, pytest.fail))
    (grid,) = given_grids(board)
    rows = {row[0].text: [cell.text for cell in row[1:]] for row in grid.body}
    assert rows == {
        "silent": ["not declared", "", "", "", "", "", "", "", "not tuned"],
        "counting": ["", "", "", "", "", "", "all", "none", "not tuned"],
        "reading": ["yes", "", "", "", "mini (23 M)", "", "all", "all", "not tuned"],
        "short": ["", "", "gaps", "", "", "", "rec", "1,500", "not tuned"],
    }
