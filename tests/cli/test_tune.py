from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from benchmark.results.record import read_run
from benchmark.tuning.pruning import HALVING
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
    assert "**bm25 (as preset)**" in board


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


def test_a_search_is_published_with_its_runs_and_serves_others(
    command: Command, tiny_folder: Path
) -> None:
    chosen = ("--model", "bm25", "--dataset", tiny_folder, "--json")
    (small,) = command("tune", *chosen, "--trials", 2).json
    (tuned,) = command("run", *chosen, "--tuned").json
    run = Path("results/runs/tiny/bm25", tuned["run"])
    done = command("publish", run, "--to", "results/published")
    search = Path("results/published/tuning/tiny/bm25", small["study"])
    assert done.out.splitlines()[1:] == [str(search)]
    shutil.rmtree("results/tuning")
    (again,) = command("run", *chosen, "--tuned", "--seeds", 2).json
    assert again["tuning"] == tuned["tuning"]
    command("publish", Path("results/runs/tiny/bm25", again["run"]), "--to", "kept")
    kept = (search / "study.json").read_bytes()
    assert Path("kept", *search.parts[2:], "study.json").read_bytes() == kept
    command("tune", *chosen, "--trials", 4)
    assert command("publish", run, "--to", "results/published").status == 0
    assert len((search / "study.json").read_bytes()) > len(kept)
    shutil.rmtree("results/tuning")
    shutil.rmtree("results/published/tuning")
    lost = command("publish", run, "--to", "kept")
    assert (lost.status, lost.err.count("\n")) == (0, 1)
    assert "the search that chose its settings is not in" in lost.err


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


PAGE = (Path(__file__).parents[2] / "docs" / "tuning.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^python -m benchmark (.*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("line", COMMANDS)
def test_the_commands_of_the_page_run(command: Command, tiny_folder: Path, line: str) -> None:
    """Those that train for long come as far as the folder that cannot be one."""
    data, blocked = ("--dataset", tiny_folder), Path("blocked")
    if "sasrec" in line:
        blocked.write_text("")
        done = command(*line.split(), *data, "--results", blocked)
        assert_refused(done)
        assert "is no folder" in done.err
        return
    if "--tuned" in line:
        command(*COMMANDS[0].split(), *data)
    assert command(*line.split(), *data).status == 0


def test_the_page_tells_the_rule() -> None:
    rungs = {HALVING.min_resource * HALVING.reduction_factor**n for n in range(3)}
    assert rungs == {10, 30, 90}
    assert "a tenth of its budget\nbehind it, three tenths, and nine tenths" in PAGE
    assert "the best third" in PAGE.replace("\n", " ")


def test_pruned_trials_are_told(command: Command, tiny_folder: Path) -> None:
    small = (f"--set={each}" for each in ("width=8", "inner=8", "epochs=10", "validate_every=1"))
    chosen = ("--model", "sasrec", "--dataset", tiny_folder, "--trials", 4, *small)
    done = command("tune", *chosen)
    assert re.search(r"sasrec, trial \d: pruned at \d+ % of its budget, 0\.\d+ in ", done.err)
    assert {"pruned", "saved"} <= set(re.findall(r"\w+", done.out))
    (study,) = command("tune", *chosen, "--json").json
    assert study["pruned"]
    assert study["seconds_saved"] > 0
    assert study["pruning"] == {"min_resource": 10, "reduction_factor": 3}
    (whole,) = command("tune", *chosen, "--no-pruning", "--json").json
    assert (whole["pruned"], whole["pruning"], whole["seconds_saved"]) == ([], None, 0.0)


def test_workers_come_to_what_one_process_comes_to(command: Command, tiny_folder: Path) -> None:
    """With one worker; with more, trials are proposed after others."""
    chosen = ("tune", "--model", "bm25", "--dataset", tiny_folder, "--trials", 3, "--json")
    (one,) = command(*chosen).json
    done = command(*chosen, "--workers", 1, "--results", "others")
    (other,) = done.json
    assert {**one, "seconds": 0} == {**other, "seconds": 0}
    assert " trial 2: started on " in done.err
    assert not Path("others/tuning/logs").exists()


@pytest.mark.parametrize(
    "options", [("--workers", "0"), ("--workers", "2", "--scheduler", "tcp://127.0.0.1:1")]
)
def test_workers_that_cannot_be_are_refused(command: Command, tiny_folder: Path, options) -> None:
    done = command("tune", "--model", "bm25", "--dataset", tiny_folder, *options)
    assert_stopped(done)
    assert not Path("results").exists()
