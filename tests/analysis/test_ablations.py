from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.analysis.leaderboard import Leaderboard
from benchmark.report.markdown import to_markdown
from tests.analysis.test_tradeoff import SAME, board, gains
from tests.report.study import BOTH, FULL, SEARCH, ranks, write
from tests.results.records import record

WORSE = [SAME[0] + 4] * len(SAME)


@pytest.fixture
def study(tmp_path: Path) -> Leaderboard:
    return board(write(tmp_path))


def ablated(results: Path, name: str, asked: dict, **changes: Any):
    """Write a run of model ``m`` without a part; in the full model ``part`` is 1."""
    plan = {"settings": {"part": 0}, "changed": {"part": 0}, "tasks": BOTH, **changes}
    return record(results, "m", asked, ablation={"name": name, "full": {"part": 1}}, **plan)


def whole(results: Path, **changes: Any):
    return record(
        results,
        "m",
        {FULL: SAME, SEARCH: SAME},
        **{"settings": {"part": 1}, "tasks": BOTH} | changes,
    )


def labels(found: Leaderboard) -> set[str]:
    return {row.entry.label for table in found.tables for row in table.rows}


def test_each_ablation_is_held_against_the_full_model_over_the_same_users(
    study: Leaderboard,
) -> None:
    (table,) = study.ablations
    assert (table.model, table.preset, table.changed, table.seeds) == ("twin", "standard", "", 3)
    full = np.mean([gains(ranks(seed, 3)) for seed in (1, 2, 3)], axis=0)
    part = np.mean([gains(ranks(30 + seed, 9)) for seed in (1, 2)], axis=0)
    first = table.parts[0]
    assert (first.name, first.seeds) == ("without codes", 2)
    assert table.rec == pytest.approx(full.mean())
    assert first.rec.value == pytest.approx(part.mean())
    assert first.rec.change == pytest.approx(part.mean() / full.mean() - 1)
    assert first.rec.low < first.rec.change < first.rec.high < 0
    assert (first.rec.seeds, first.rec.borrowed, first.rec.question) == (2, False, "recipes")
    moved = [gains(ranks(30 + s, 9)).mean() / gains(ranks(s, 3)).mean() - 1 for s in (1, 2)]
    assert first.rec.by_seed == pytest.approx(moved)
    shown = next(line for line in to_markdown([study]).splitlines() if "without codes" in line)
    assert f" {moved[0]:+.0%}, {moved[1]:+.0%} " in shown


def test_both_tasks_trained_alone_stand_below_and_holm_counts_every_row(study: Leaderboard) -> None:
    (table,) = study.ablations
    assert [part.name for part in table.parts[1:]] == ["rec only", "search only"]
    assert [part.rec.change is None for part in table.parts] == [False, False, True]
    changes = [c for part in table.parts for c in (part.rec, part.search) if c.p is not None]
    smallest = min(changes, key=lambda change: change.p)
    assert len(changes) == 4
    assert smallest.p_holm == 4 * smallest.p
    assert [change for change in changes if change.p_holm < 0.05]


def test_ablations_leave_the_other_tables_and_their_names_alone(
    study: Leaderboard, tmp_path
) -> None:
    assert labels(study) == {"twin (joint)", "twin (rec only)", "twin (search only)"} | {
        "near",
        "poor_one",
    }
    assert not any("without" in curve.label for curve in study.curves)
    assert study.superseded == 0


def test_the_full_model_comes_first_and_few_seeds_are_marked(study: Leaderboard) -> None:
    lines = to_markdown([study]).splitlines()
    start = lines.index("### Ablations of twin (standard): NDCG@10 (whole catalogue)")
    names = [line.split("|")[1].strip() for line in lines[start + 4 : start + 8]]
    assert names == ["full model", "without codes †", "rec only ‡", "search only ‡"]


def test_an_ablation_without_its_full_model_has_a_value_and_no_change(tmp_path: Path) -> None:
    found = board([ablated(tmp_path, "without part", {FULL: WORSE, SEARCH: SAME})])
    (table,) = found.ablations
    assert (table.seeds, table.rec) == (0, None)
    assert table.parts[0].rec.value == pytest.approx(gains(WORSE).mean())
    assert table.parts[0].rec.change is table.parts[0].rec.p is None
    assert labels(found) == set()
    assert "n/a" in to_markdown([found])


def test_the_full_model_is_the_one_of_the_same_settings_otherwise(tmp_path: Path) -> None:
    """A model with further settings changed has a table of its own."""
    changed = {"changed": {"size": 2}, "settings": {"part": 1, "size": 2}}
    other = {"changed": {"size": 2, "part": 0}, "settings": {"part": 0, "size": 2}}
    asked = {FULL: WORSE, SEARCH: SAME}
    runs = [
        whole(tmp_path, settings={"part": 1, "size": 1}),
        whole(tmp_path, **changed),
        ablated(tmp_path, "without part", asked, settings={"part": 0, "size": 1}),
        ablated(tmp_path, "without part", {FULL: SAME, SEARCH: SAME}, **other),
    ]
    tables = {table.changed: table for table in board(runs).ablations}
    assert set(tables) == {"", "size=2"}
    assert tables[""].parts[0].rec.change < 0
    assert tables["size=2"].parts[0].rec.change == 0


def test_a_changed_setting_stands_in_a_table_of_its_own(study: Leaderboard) -> None:
    (found,) = study.changed
    assert (found.model, found.preset, found.setting) == ("twin", "standard", "width=8")
    assert found.rec.value == pytest.approx(gains(ranks(3, 9)).mean())
    assert found.rec.change < 0 and found.rec.p_holm < 0.05
    assert not any("width" in label for label in labels(study))


def test_without_the_unchanged_runs_a_changed_one_is_a_model_like_others(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"settings": {"width": 8}, "changed": {"width": 8}}
    found = board([record(tmp_path, "m", {FULL: SAME}, **changes)])
    assert found.changed == ()
    assert [row.entry.label for row in found.tables[0].rows] == ["m"]


def test_settings_that_a_search_chose_are_a_model_of_their_own(tmp_path: Path) -> None:
    """They are neither held against the preset nor is anything held against them."""
    tuned: dict[str, Any] = {"tuning": {"trials": 20}, "changed": {"width": 8}}
    found = board(
        [
            record(tmp_path, "m", {FULL: SAME}, settings={"width": 4}),
            record(tmp_path, "m", {FULL: WORSE}, settings={"width": 8}, **tuned),
        ]
    )
    assert found.changed == ()
    assert labels(found) == {"m (as preset)", "m (tuned)"}
    # A search may end at the preset's own settings.
    as_it_was: dict[str, Any] = {"tuning": {"trials": 20}, "settings": {"width": 4}}
    found = board(
        [
            record(tmp_path / "other", "m", {FULL: SAME}, **as_it_was),
            record(
                tmp_path / "other",
                "m",
                {FULL: WORSE},
                settings={"width": 8},
                changed={"width": 8},
            ),
        ]
    )
    assert found.changed == ()
    assert len(labels(found)) == 2
