from __future__ import annotations

from pathlib import Path

from .conftest import Command, assert_refused


def test_a_run_has_a_folder_without_a_colon_and_keeps_its_name(
    command: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    options = ("--preset", "quick", "--set", "recbole:GRU4Rec.width=8", "--results", "results")
    asked = ("run", "--model", "recbole:GRU4Rec", "--dataset", tiny_folder, *options, "--json")
    (run,) = command(*asked).json
    assert run["model"] == "recbole:GRU4Rec"
    assert run["changed"] == {"width": 8}
    made = tmp_path / "results" / "runs" / "tiny" / "recbole-GRU4Rec" / run["run"]
    assert made.is_dir()
    assert not [path for path in (tmp_path / "results").rglob("*") if ":" in path.name]
    (again,) = command(*asked).json
    assert again["reused"]


def test_a_model_that_cannot_run_is_refused_with_the_reason(command: Command) -> None:
    done = command("run", "--model", "recbole:GRU4RecKG")
    assert_refused(done)
    assert "it cannot run here: it needs vectors pretrained on a knowledge graph" in done.err


def test_options_that_recbole_does_not_know_are_refused(
    command: Command, tiny_folder: Path
) -> None:
    assert_refused(
        command(
            *("run", "--model", "recbole:Caser", "--dataset", tiny_folder),
            *("--set", "recbole:Caser.options=nw=3"),
        )
    )
