"""Two to four processes at the same thing: nothing is lost, each ends well or says who is at it.

``python -m tests.writers`` runs 20 rounds of each, the suite one of some.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.results.record import RunRecord
from benchmark.results.scan import scan_runs
from tests.commands import (
    COMMANDS,
    Command,
    finished,
    home_of,
    importing,
    litter_in,
    running,
    start,
    state,
)

__all__ = ["ROUNDS", "Round", "faults_of"]

Runs = list[RunRecord]


@dataclass(frozen=True)
class Round:
    """Commands that are run at once.

    Attributes:
        name: of them.
        commands: their arguments.
        before: makes what they find.
        refused: what the line of a process that gives way may say.
        runs: how many runs there are afterwards below ``results``.
        holds: whether what they leave is as it should be.
    """

    name: str
    commands: tuple[tuple[str, ...], ...]
    before: Command
    refused: tuple[str, ...] = ()
    runs: int = 1
    holds: Callable[[Path], bool] = field(default=lambda home: True)


def faults_of(rounds: Round, before: Path, home: Path, ends: Counter[str]) -> list[str]:
    """Run commands at once on a copy of ``before``, and return what was not as it should be.

    Args:
        rounds: the commands.
        before: what they find.
        home: where the copy is made anew.
        ends: counts how the processes ended.
    """
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(before, home)
    numbered = list(enumerate(rounds.commands))
    processes = [start(home, arguments, log=f"log-{number}") for number, arguments in numbered]
    faults = []
    for (number, arguments), process in zip(numbered, processes, strict=True):
        status = finished(process)
        said = home.with_name(f"log-{number}").read_text(errors="replace")
        lines = [line for line in said.splitlines() if line.startswith("error: ")]
        gave_way = (
            status == 2 and len(lines) == 1 and any(each in lines[0] for each in rounds.refused)
        )
        ends["well" if status == 0 else "gave way" if gave_way else "badly"] += 1
        if not (status == 0 or gave_way) or "left out" in said or "damaged" in said:
            faults.append(f"{' '.join(arguments)} ended with {status}: {said[-2000:]}")
    found = list(scan_runs(home / "results", faults.append))
    if len(found) != rounds.runs or not all(len(run.requests()) for run in found):
        faults.append(f"{len(found)} runs are there, not {rounds.runs}")
    if not rounds.holds(home):
        faults.append("what they left is not as it should be")
    return [*faults, *(f"litter: {why}" for why in litter_in(home))]


def _imported(home: Path) -> bool:
    """Return whether all four imports are in the one record."""
    (run,) = scan_runs(home / "results", print)
    asked = {(task, protocol) for task, means in run.info["metrics"].items() for protocol in means}
    return (
        asked
        == FOUR
        == set(run.requests()[["task", "protocol"]].itertuples(index=False, name=None))
    )


def _kept(count: int) -> Callable[[Path], bool]:
    """Check that so many runs are published, and that they share one table."""

    def holds(home: Path) -> bool:
        told: list[str] = []
        kept = list(scan_runs(home / "results" / "kept", told.append))
        tables = list((home / "results" / "kept").rglob("requests-*.parquet"))
        return not told and len(kept) == count and len(tables) == 1

    return holds


def _board(home: Path) -> bool:
    text = (home / "board.md").read_text()
    return text.startswith("# Board\n") and text.endswith("end\n") and "popularity" in text


def _prepared(home: Path) -> bool:
    return len(list((home / "cache" / "data").iterdir())) == 1


def _exported(home: Path) -> bool:
    return len(state(home, "out/*")) == 8


FOUR = {(task, protocol) for task in ("rec", "search") for protocol in ("full", "sampled")}
_BUSY = ("is being written by process",)
_RUN, _TRAINED = COMMANDS["run"], COMMANDS["run of a trained model"]
_FRESH, _PUBLISH = COMMANDS["run --fresh"], COMMANDS["publish"]
_SEEDS = tuple(running("--seed", str(seed)) for seed in (1, 2, 3, 4))
_EACH = tuple(
    ("publish", f"results/runs/tiny/popularity/standard-s{seed}-*", "--to", "results/kept")
    for seed in (1, 2, 3, 4)
)
ROUNDS = (
    Round("run, the same", (_RUN.arguments,) * 3, _RUN, _BUSY),
    Round("run of a trained model, the same", (_TRAINED.arguments,) * 2, _TRAINED, _BUSY),
    Round("run, different seeds", _SEEDS, _RUN, runs=4),
    Round("run --fresh and publish", (_FRESH.arguments, _PUBLISH.arguments) * 2, _PUBLISH, _BUSY),
    Round("import", tuple(importing(*one) for one in sorted(FOUR)), _RUN, holds=_imported),
    Round("publish, the same", (_PUBLISH.arguments,) * 3, _PUBLISH, holds=_kept(1)),
    Round("publish, different", _EACH, Command("", (), _SEEDS), runs=4, holds=_kept(4)),
    Round(
        "leaderboard --into, run --fresh",
        (COMMANDS["leaderboard --into"].arguments, _FRESH.arguments) * 2,
        COMMANDS["leaderboard --into"],
        (*_BUSY, "was changed meanwhile"),
        holds=_board,
    ),
    Round("data prepare", (COMMANDS["data prepare"].arguments,) * 4, _RUN, runs=0, holds=_prepared),
    Round(
        "export",
        (COMMANDS["export"].arguments,) * 2,
        COMMANDS["export"],
        ("--out",),
        holds=_exported,
    ),
    Round("run and clean", (_RUN.arguments, ("clean", "--yes")) * 2, COMMANDS["clean"], _BUSY),
    Round("tune, the same", (COMMANDS["tune"].arguments,) * 2, _RUN, _BUSY, runs=0),
)


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", help="name of a round")
    asked = parser.parse_args()
    faulty = 0
    for each in ROUNDS:
        if asked.only not in (None, each.name):
            continue
        with tempfile.TemporaryDirectory() as place:
            before, ends = home_of(each.before, Path(place) / "before"), Counter[str]()
            faults = [
                faults_of(each, before, Path(place) / "home", ends) for _ in range(asked.rounds)
            ]
        told = ", ".join(f"{count} ended {how}" for how, count in sorted(ends.items()))
        print(f"{each.name}: {faults.count([])} of {len(faults)} rounds without a fault; {told}")
        for one in filter(None, faults):
            print(f"  {'; '.join(one)}")
            faulty = 1
    return faulty


if __name__ == "__main__":
    sys.exit(_main())
