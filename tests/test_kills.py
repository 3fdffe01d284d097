"""A few of the trials of :mod:`tests.kills` and :mod:`tests.writers`, which run all."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.commands import COMMANDS, home_of
from tests.kills import Trials
from tests.writers import ROUNDS, faults_of

KILLED = ("run --fresh", "import", "publish", "leaderboard --into")
AT_ONCE = ("import", "publish, different")


@pytest.mark.parametrize("name", KILLED)
def test_a_killed_command_loses_nothing_and_leaves_no_litter(name: str, tmp_path: Path) -> None:
    trials = Trials(COMMANDS[name], tmp_path)
    kills = list(trials.kills())
    for share in (0.6, 0.9):
        assert trials.before(kills[int(share * len(kills))]) == []


@pytest.mark.parametrize(
    "one", [one for one in ROUNDS if one.name in AT_ONCE], ids=lambda one: one.name
)
def test_processes_at_the_same_thing_lose_nothing(one, tmp_path: Path) -> None:
    ends = Counter[str]()
    assert faults_of(one, home_of(one.before, tmp_path / "before"), tmp_path / "home", ends) == []
    assert ends["well"] > 0
