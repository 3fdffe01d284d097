"""The boards that the HTML report is tried on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmark.analysis.leaderboard import Leaderboard, boards
from benchmark.report.html import to_html
from benchmark.results.record import RunRecord
from tests.report.study import FOREIGN, FULL, SAMPLED, SEARCH, ranks, write
from tests.results.records import record


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunRecord]:
    """The study, a model with a foreign name, and one that lacks a protocol in one seed."""
    folder = tmp_path_factory.mktemp("results")
    curve = [{"step": 1, "seconds": 1.5, "rec": 0.25}, {"step": 2, "seconds": 3.0, "rec": 0.5}]
    users = [number // 2 for number in range(60)]
    asked = {FULL: ranks(30, 2), SEARCH: ranks(31, 4)}
    foreign = record(folder, "foreign", asked, users, curve=curve, parameters=2_000_000)
    return [
        *write(folder),
        replace(foreign, info={**foreign.info, "model": FOREIGN}),
        record(folder, "partial", {FULL: ranks(32, 5), SAMPLED: ranks(33, 5)}, users, seed=1),
        record(folder, "partial", {SAMPLED: ranks(34, 5)}, users, seed=2),
    ]


@pytest.fixture(scope="module")
def made(runs: list[RunRecord]) -> list[Leaderboard]:
    return boards(runs)


@pytest.fixture(scope="module")
def text(made: list[Leaderboard]) -> str:
    return to_html(made)
