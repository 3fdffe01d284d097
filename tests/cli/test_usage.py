from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Command, assert_refused

RUN = ["run", "--model", "bm25"]

MISTAKES = {
    "command": (["rnu"], r"'rnu'.*'run'"),
    "option": (["run", "--modle", "bm25"], r"--modle\b.*--model"),
    "no model": (["run"], r"--model"),
    "empty model": (["run", "--model", " , "], r"--model: name at least one"),
    "model": (["run", "--model", "populrity"], r"model 'populrity'; did you mean 'popularity'\?"),
    "one of the models": (["run", "--model", "bm25,bm52"], r"'bm52'; did you mean 'bm25'\?"),
    "data set": ([*RUN, "--dataset", "ml-10k"], r"'ml-10k'; did you mean 'ml-100k'\?"),
    "folder": ([*RUN, "--dataset", "./nowhere"], r"--dataset \./nowhere: no such folder"),
    "task": ([*RUN, "--tasks", "serach"], r"--tasks: .*'serach'; did you mean 'search'\?"),
    "no task": ([*RUN, "--tasks", ","], r"--tasks: name at least one of rec, search"),
    "task not served": ([*RUN, "--tasks", "rec"], r"bm25 serves search only"),
    "protocol": ([*RUN, "--protocol", "fulll"], r"--protocol: .*did you mean 'full'\?"),
    "preset": ([*RUN, "--preset", "quik"], r"--preset: .*did you mean 'quick'\?"),
    "setting": ([*RUN, "--set", "k11=1"], r"--set k11: .*did you mean 'k1'\?"),
    "model's setting": ([*RUN, "--set", "bm25.k11=1"], r"'k11'; did you mean 'k1'\?"),
    "setting of none": (["run", "--model", "random", "--set", "a=1"], r"--set a: .*there are none"),
    "setting's model": ([*RUN, "--set", "bm52.k1=1"], r"bm52 is not run; did you mean 'bm25'\?"),
    "no value": ([*RUN, "--set", "k1"], r"--set k1: write it as NAME=VALUE"),
    "no number": ([*RUN, "--set", "k1=abc"], r"'k1': 'abc' is not a finite number"),
    "not finite": ([*RUN, "--set", "k1=nan"], r"'k1': 'nan' is not a finite number"),
    "no width for a head": (
        ["run", "--model", "gensar", "--set", "width=2"],
        r"'width', 'heads': no width is left for 4 heads",
    ),
    "Sinkhorn beyond float64": (
        ["run", "--model", "gensar", "--set", "sinkhorn_epsilon=0.001"],
        r"'sinkhorn_epsilon': 0, or at least 0.0015",
    ),
    "device": ([*RUN, "--device", "gpu"], r"--device.*'cuda'"),
    "seed": ([*RUN, "--seed", "one"], r"--seed.*integer"),
    "negative seed": ([*RUN, "--seed", "-1"], r"seed -1: choose one from 0 to"),
    "huge seed": ([*RUN, "--seeds", f"1,{2**31}"], r"choose one from 0 to"),
    "seeds": ([*RUN, "--seeds", "1,,2"], r"--seeds 1,,2: write whole numbers"),
    "two ways": ([*RUN, "--seed", "1", "--seeds", "1,2"], r"either --seed or --seeds"),
    "results": ([*RUN, "--results", "a-file"], r"--results a-file: .* is no folder"),
    "under results": ([*RUN, "--results", "a-file/r"], r"--results a-file/r: .* is no folder"),
    "list": (["list", "modles"], r"'modles'.*'models'"),
    "board of nothing": (["leaderboard"], r"--results results: no such folder"),
    "format": (["leaderboard", "--results", ".", "--format", "pdf"], r"--format.*'md'"),
    "board's model": (["leaderboard", "--results", ".", "--model", "bm52"], r"mean 'bm25'\?"),
    "board's data": (["leaderboard", "--results", ".", "--dataset", "ml"], r"no run on 'ml'"),
    "board's preset": (["leaderboard", "--results", ".", "--preset", "quik"], r"mean 'quick'\?"),
    "check without file": (["leaderboard", "--results", ".", "--check"], r"--check: .*--out"),
    "out is a folder": (["leaderboard", "--results", ".", "--out", "."], r"--out \.: .*folder"),
    "out in nowhere": (["leaderboard", "--results", ".", "--out", "no/a.md"], r"--out no/a\.md: "),
    "data command": (["data", "audti", "ml-100k"], r"'audti'.*'audit'"),
    "data without name": (["data", "audit"], r"(?i)name"),
    "data's name": (["data", "describe", "ml-10k"], r"did you mean 'ml-100k'\?"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_that_names_it(
    command: Command, tmp_path: Path, mistake: str
) -> None:
    (tmp_path / "a-file").write_text("", encoding="utf-8")
    arguments, message = MISTAKES[mistake]
    done = command(*arguments)
    assert_refused(done)
    assert re.search(message, done.err)
    assert [p.name for p in tmp_path.iterdir()] == ["a-file"]


def test_nothing_runs_where_a_later_model_has_no_requests(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    rows = [f"u{u}\ti{i + u}\t{i}" for u in range(3) for i in range(5)]
    text = "\n".join(["user_id:token\titem_id:token\ttimestamp:float", *rows]) + "\n"
    (folder / "rows.inter").write_text(text, encoding="utf-8")
    done = command("run", "--model", "popularity,bm25", "--dataset", folder, "--results", "r")
    assert_refused(done)
    assert "rows has no search requests for model bm25" in done.err
    assert not (tmp_path / "r").exists()


def test_debug_shows_where_an_error_comes_from(command: Command) -> None:
    done = command("run", "--model", "nothing", "--debug")
    assert done.status == 2
    first, *_, last = done.err.splitlines()
    assert first.startswith("Traceback")
    assert last.startswith("error: unknown model 'nothing'")


@pytest.mark.parametrize("name", [[], ["run"], ["list"], ["leaderboard"], ["data"]], ids=str)
def test_help_is_given(command: Command, name: list[str]) -> None:
    done = command(*name, "--help")
    assert (done.status, done.err) == (0, "")
    assert "Usage" in done.out


@pytest.mark.parametrize("name", [[], ["data"]], ids=str)
def test_no_command_shows_the_help_and_no_empty_error(command: Command, name: list[str]) -> None:
    done = command(*name)
    assert done.status == 2
    assert "Usage" in done.out + done.err
    assert "error" not in done.err


def test_python_m_benchmark_ends_with_the_status_and_no_traceback() -> None:
    arguments = [sys.executable, "-m", "benchmark", "run", "--model", "populrity"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: unknown model 'populrity'; did you mean 'popularity'?\n"
