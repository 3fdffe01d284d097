from __future__ import annotations

from pathlib import Path

import pytest

from benchmark import control_groups
from benchmark.running import estimate as estimating
from benchmark.running import memory
from benchmark.running.memory import Room

from .conftest import Command, assert_stopped


def test_an_estimate_is_shown_and_nothing_is_run(
    command: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    options = ["--dataset", tiny_folder, "--preset", "quick", "--estimate", "--seeds", "1,2"]
    done = command("run", "--model", "popularity,sasrec", *options, "--json")
    assert done.status == 0
    assert [run["model"] for run in done.json["runs"]] == ["popularity", "sasrec"]
    for run in done.json["runs"]:
        assert (run["fits"], run["known"], run["runs"]) == ("yes", True, 2)
        assert run["memory_mib"] == pytest.approx(sum(run["memory_parts_mib"].values()))
        outer = [p["seconds"] for p in run["phases"] if "/" not in p["name"]]
        assert run["seconds"] == pytest.approx(sum(outer))
    assert done.json["sizes"]["items"] == 120
    assert not (tmp_path / "results").exists()
    table = command("run", "--model", "popularity", *options).out
    assert "popularity" in table and "MiB" in table and "yes" in table


def test_earlier_runs_tell_the_time(popularity: Command) -> None:
    (record,) = popularity("--json").json
    (run,) = popularity("--estimate", "--json").json["runs"]
    assert run["source"] == "1 earlier run of the same kind"
    seconds = {p["name"]: min(p["seconds"], p["processor_seconds"]) for p in record["phases"]}
    assert {p["name"]: p["seconds"] for p in run["phases"]} == pytest.approx(seconds)


def test_what_cannot_fit_into_the_container_is_refused(
    popularity: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit of a control group counts, however much the machine has."""
    monkeypatch.setattr(control_groups, "_PROC", tmp_path / "cgroup")
    monkeypatch.setattr(control_groups, "_CGROUPS", tmp_path / "groups")
    (tmp_path / "cgroup").write_text("0::/\n")
    (tmp_path / "groups").mkdir()
    (tmp_path / "groups" / "memory.max").write_text(f"{2**29}\n")
    (tmp_path / "groups" / "memory.current").write_text(f"{2**29}\n")
    monkeypatch.setattr(memory, "_own", lambda: 100 * 2**20)
    done = popularity()
    assert_stopped(done)
    assert "it needs about" in done.err
    assert "the container or control group has 100 MiB" in done.err
    assert not list((tmp_path / "results").rglob("run.json"))


def test_a_stored_run_is_shown_however_little_memory_there_is(
    popularity: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    popularity()
    monkeypatch.setattr(estimating, "host_room", lambda: Room(2**20, "this machine"))
    assert popularity("--json").json[0]["reused"]
