from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.results.record import read_run
from tests.cli.conftest import Command, assert_refused, assert_stopped


def test_a_tuned_run_takes_the_best_settings_and_tells_how_they_were_found(
    command: Command, tiny_folder: Path
) -> None:
    chosen = ("--model", "bm25", "--dataset", tiny_folder)
    (study,) = command("tune", *chosen, "--trials", 5, "--seed", 3, "--json").json
    assert (study["model"], study["trials"], study["seed"]) == ("bm25", 5, 3)
    assert study["validation"] == max(study["values"])
    (plain,) = command("run", *chosen, "--json").json
    (tuned,) = command("run", *chosen, "--tuned", "--json").json
    assert plain["tuning"] is None
    assert tuned["tuning"] == {k: v for k, v in study.items() if k != "model"}
    assert {n: tuned["settings"][n] for n in ("b", "k1")} == study["chosen"]
    assert not tuned["reused"]
    assert command("run", *chosen, "--tuned", "--json").json[0]["reused"]
    (folder,) = Path("results/runs/tiny/bm25").glob(f"{tuned['run']}")
    assert read_run(folder).info["tuning"] == tuned["tuning"]
    board = command("leaderboard", "--dataset", "tiny").out
    assert "Settings chosen on validation, by so many trials: bm25 (tuned) 5." in board
    assert "**bm25 (as preset) †**" in board


def test_a_model_without_anything_to_choose_has_one_trial(
    command: Command, tiny_folder: Path
) -> None:
    done = command("tune", "--model", "popularity", "--dataset", tiny_folder, "--trials", 9)
    assert "nothing to choose" in done.out
    assert command("run", "--model", "popularity", "--dataset", tiny_folder, "--tuned").status == 0


def test_a_larger_number_of_trials_goes_on_from_the_smaller(
    command: Command, tiny_folder: Path
) -> None:
    chosen = ("tune", "--model", "bm25", "--dataset", tiny_folder, "--json", "--trials")
    first, second = command(*chosen, 2).json[0], command(*chosen, 4).json[0]
    assert second["values"][:2] == first["values"]
    assert command(*chosen, 2).json[0]["values"] == first["values"]


@pytest.mark.parametrize(
    "options",
    [("--trials", "0"), ("--preset", "nosuch"), ("--set", "nosuch=1"), ("--tasks", "rec")],
)
def test_bad_usage_is_refused(command: Command, tiny_folder: Path, options) -> None:
    assert_refused(command("tune", "--model", "bm25", "--dataset", tiny_folder, *options))
    assert not Path("results").exists()


def test_without_a_search_a_tuned_run_is_refused(command: Command, tiny_folder: Path) -> None:
    done = command("run", "--model", "bm25", "--dataset", tiny_folder, "--tuned")
    assert_refused(done)
    assert "python -m benchmark tune --model bm25" in done.err
    assert not Path("results").exists()


def test_a_damaged_search_is_told_and_others_still_serve(
    command: Command, tiny_folder: Path
) -> None:
    chosen = ("--model", "bm25", "--dataset", tiny_folder)
    for seed in (1, 2):
        command("tune", *chosen, "--trials", 2, "--seed", seed)
    damaged = sorted(Path("results/tuning/tiny/bm25").glob("standard-s1-*/study.json"))[0]
    damaged.write_bytes(damaged.read_bytes().replace(b'"seed": 1', b'"seed": 3'))
    done = command("tune", *chosen, "--trials", 3)
    assert_stopped(done)
    assert f"{damaged}: damaged" in done.err
    run = command("run", *chosen, "--tuned", "--json")
    assert run.status == 0
    assert run.json[0]["tuning"]["seed"] == 2
    assert f"left out: {damaged}: damaged" in run.err
