from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmark.results.record import read_run
from tests.results.records import record

from .conftest import Command, assert_refused

FULL = ("rec", "full")
GOOD = [0, 1, 3, 0, 9, 2, 40, 5] * 20
BAD = [*[30] * 16, *GOOD[16:]]


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    record(tmp_path / "baseline", "mine", {FULL: GOOD})
    return tmp_path / "baseline"


def test_an_equal_run_passes(command: Command, baseline: Path, tmp_path: Path) -> None:
    record(tmp_path / "results", "mine", {FULL: GOOD}, code="1" * 64)
    record(tmp_path / "results", "other", {FULL: BAD})
    done = command("check", "--baseline", baseline)
    assert (done.status, done.err) == (0, "")
    assert done.out.count(" ok ") == 3
    found = command("check", "--baseline", baseline, "--json").json
    assert (found["passed"], found["problems"]) == (True, [])
    assert [each["metric"] for each in found["checked"]] == ["ndcg@10", "hr@10", "mrr@10"]


def test_a_worse_run_fails_and_says_by_how_much(
    command: Command, baseline: Path, tmp_path: Path
) -> None:
    record(tmp_path / "results", "mine", {FULL: BAD})
    done = command("check", "--baseline", baseline)
    assert done.status == 1
    assert "WORSE" in done.out
    assert "3 of 3 metrics are worse" in done.err
    assert "would be found with a power of 80%" in done.err
    assert done.err.count("\n") == 1
    found = command("check", "--baseline", baseline, "--json")
    assert (found.status, found.json["passed"]) == (1, False)
    assert command("check", "--baseline", baseline, "--margin", "0.3").status == 0


def test_other_candidates_and_missing_runs_fail(
    command: Command, baseline: Path, tmp_path: Path
) -> None:
    record(tmp_path / "results", "mine", {FULL: GOOD}, seed=2)
    done = command("check", "--baseline", baseline)
    assert (done.status, "no such run" in done.err) == (1, True)
    record(tmp_path / "results", "mine", {FULL: GOOD}, candidates_digest="e" * 64)
    done = command("check", "--baseline", baseline)
    assert (done.status, "candidates" in done.err) == (1, True)


def test_a_damaged_run_is_told_and_left_out(
    command: Command, baseline: Path, tmp_path: Path
) -> None:
    good = record(tmp_path / "results", "mine", {FULL: GOOD}, run="good")
    later = "2024-03-01T00:00:00+00:00"
    bad = record(tmp_path / "results", "mine", {FULL: BAD}, run="bad", finished=later)
    file = bad.folder / "requests.parquet"
    file.write_bytes(file.read_bytes()[:-10])
    done = command("check", "--baseline", baseline)
    assert (done.status, done.err.count("\n")) == (0, 1)
    assert "left out" in done.err
    (good.folder / "run.json").unlink()
    done = command("check", "--baseline", baseline)
    assert_refused(done)  # nothing is known of the answers, so no check has failed
    assert f"{bad.folder.relative_to(tmp_path)}: damaged run" in done.err


@pytest.mark.parametrize("level", ["runs", "toy", "mine"])
def test_where_nothing_can_be_looked_into_no_check_has_failed(
    command: Command, baseline: Path, tmp_path: Path, level: str
) -> None:
    run = record(tmp_path / "results", "mine", {FULL: GOOD})
    place = next(folder for folder in run.folder.parents if folder.name == level)
    place.rename(tmp_path / "moved")
    place.symlink_to(place)  # nobody may look into it, not even a superuser
    done = command("check", "--baseline", baseline)
    assert_refused(done)
    assert f"cannot be checked: {place.relative_to(tmp_path)}: " in done.err


@pytest.mark.parametrize(("others", "status"), [(GOOD, 2), (BAD, 1)], ids=["good", "bad"])
@pytest.mark.parametrize("damage", ["run.json", "."])
def test_what_cannot_be_read_hides_nothing_else(
    command: Command, baseline: Path, tmp_path: Path, others: list[int], status: int, damage: str
) -> None:
    record(tmp_path / "baseline", "rp:other", {FULL: GOOD})
    run = record(tmp_path / "results", "mine", {FULL: GOOD})
    record(tmp_path / "results", "rp:other", {FULL: others})
    if damage == ".":
        run.folder.parent.rename(tmp_path / "moved")
        run.folder.parent.touch()
    else:
        (run.folder / damage).unlink()
    done = command("check", "--baseline", baseline)
    assert (done.status, done.out.count(" WORSE ")) == (status, 0 if status == 2 else 3)
    assert done.out.count("rp:other") == 1
    error = done.err.splitlines()[-1]
    assert error.startswith("error: ") and "mine on toy" in error and "cannot be checked" in error
    assert ("3 of 3 metrics are worse" in error) == (status == 1)
    found = command("check", "--baseline", baseline, "--json").json
    assert (found["passed"], len(found["checked"]), len(found["problems"])) == (False, 3, 1)


def test_a_baseline_is_made_of_runs(command: Command, tmp_path: Path) -> None:
    first = record(tmp_path / "results", "mine", {FULL: GOOD}, run="first")
    done = command("publish", first.folder, "--to", "made")
    assert (done.status, done.err) == (0, "")
    assert read_run(Path(done.out.strip())).info == first.info
    assert command("check", "--baseline", "made").status == 0
    later = "2024-03-01T00:00:00+00:00"
    second = record(tmp_path / "results", "mine", {FULL: BAD}, run="second", finished=later)
    assert command("check", "--baseline", "made").status == 1
    assert command("publish", first.folder, second.folder, "--to", "made").status == 0
    assert command("check", "--baseline", "made").status == 0
    assert len(list((tmp_path / "made" / "runs" / "toy" / "mine").iterdir())) == 1


def test_a_rerun_with_other_threads_passes(command: Command, tiny_folder: Path) -> None:
    run = ["run", "--model", "sasrec", "--preset", "quick", "--dataset", tiny_folder, "--json"]
    before = torch.get_num_threads()
    used = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            done = command(*run, "--results", f"by-{threads}")
            used.append(done.json[0]["environment"]["threads"])
    finally:
        torch.set_num_threads(before)
    assert used == [1, 2]
    assert command("check", "--baseline", "by-1", "--results", "by-2").status == 0


def test_what_cannot_be_published_is_refused(command: Command, tmp_path: Path) -> None:
    good = record(tmp_path / "results", "mine", {FULL: GOOD}).folder
    bad = record(tmp_path / "results", "mine", {FULL: BAD}, seed=2).folder
    (bad / "requests.parquet").write_bytes(b"")
    assert_refused(command("publish", good, bad, "--to", "made"))
    assert_refused(command("publish", "--to", "made"))
    assert_refused(command("publish", good))
    assert not Path("made").exists()
    Path("file").touch()
    assert_refused(command("publish", good, "--to", "file"))


def test_bad_input_is_refused_in_one_line(command: Command, baseline: Path, tmp_path: Path) -> None:
    assert_refused(command("check", "--baseline", baseline))
    record(tmp_path / "results", "mine", {FULL: GOOD})
    for wrong in (
        ["--baseline", tmp_path / "nowhere"],
        ["--baseline", tmp_path],
        ["--baseline", baseline, "--margin", "-0.1"],
        ["--baseline", baseline, "--margin", "nan"],
        ["--baseline", baseline, "--results", "nowhere"],
        [],
    ):
        assert_refused(command("check", *wrong))
    stored = next((baseline / "runs" / "toy" / "mine").iterdir())
    (stored / "requests.parquet").write_bytes(b"")
    assert_refused(command("check", "--baseline", baseline))
