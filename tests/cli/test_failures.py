"""One model's failure leaves the others alone; whatever fails, fails in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from baselines.bm25 import BM25
from benchmark.cli.surroundings import check_surroundings
from benchmark.locks import BusyError
from benchmark.results.scan import scan_runs

from .conftest import Command, Done, assert_refused


@pytest.fixture
def three(command: Command, tiny_folder: Path) -> Command:
    """Run three models on the tiny data set, the second of which is made to fail."""

    def call(*arguments: object) -> Done:
        names = "popularity,bm25,random"
        return command("run", "--model", names, "--dataset", tiny_folder, *arguments)

    return call


def models(results: Path) -> list[str]:
    return sorted(run.info["model"] for run in scan_runs(results, pytest.fail))


def _exit(*arguments: object) -> None:
    sys.exit(0)


def _raiser(error: BaseException) -> Callable[..., None]:
    def fail(*arguments: object, **named: object) -> None:
        raise error

    return fail


class _MuteError(RuntimeError):
    def __str__(self) -> str:
        raise ValueError("no text")


def _from_itself(*arguments: object) -> None:
    error = ValueError("odd")
    raise error from error


def _round_in_a_circle(*arguments: object) -> None:
    one, other = ValueError("odd"), KeyError("x")
    other.__cause__ = one
    raise one from other


def _through_many(*arguments: object) -> None:
    error = MemoryError("Unable to allocate 9 TiB")
    led: Exception = error
    for _ in range(5000):
        further = ValueError("odd")
        further.__cause__ = led
        led = further
    raise led


FAULTS: dict[str, tuple[str, Callable[..., Any], str]] = {
    "fit": ("fit", _raiser(ValueError("odd\nand long")), "ValueError: odd (test_failures.py:"),
    "exit": ("fit", _exit, "sys.exit(0) was called"),
    "score": ("score", _raiser(KeyError("x")), "KeyError: 'x'"),
    "mute": ("fit", _raiser(_MuteError()), "_MuteError (test_failures.py:"),
    "state": ("state", _raiser(AttributeError()), "AttributeError"),
    "itself": ("fit", _from_itself, "ValueError: odd (test_failures.py:"),
    "circle": ("fit", _round_in_a_circle, "ValueError: odd (test_failures.py:"),
    "led to": ("fit", _through_many, "memory ran out"),
    "memory": ("fit", _raiser(MemoryError("Unable to allocate 9 TiB")), "memory ran out (Unable"),
    "array": ("fit", lambda *_: np.empty(2**50), "memory ran out (Unable to allocate"),
    "tensor": ("fit", lambda *_: torch.empty(2**50), "memory ran out ("),
    "nested": ("fit", _raiser(RecursionError("maximum")), "RecursionError"),
    "file": ("fit", lambda *_: Path("no/such").read_bytes(), "no/such: No such file"),
    "texts": ("score", lambda *_: [["a"]], "bm25 cannot answer: ValueError: could not convert"),
    "nothing": ("score", lambda *_: None, "bm25 answered with shape ()"),
    "shape": ("score", lambda *_: np.zeros((1, 1), np.float32), "bm25"),
    "busy": ("fit", _raiser(BusyError("r: is being written by process 7")), "by process 7"),
    "escapes": ("fit", _raiser(ValueError("\x1b[2J")), r"\x1b[2J"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_that_fails_leaves_the_others_shown(
    three: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    method, failing, message = FAULTS[fault]
    monkeypatch.setattr(BM25, method, failing)
    done = three("--seeds", "1,2")
    assert done.status == 2
    errors = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 2
    assert all(message in line for line in errors)
    for seed, line in zip("12", errors, strict=True):
        assert line.startswith(f"error: model bm25, seed {seed}: ")
    assert "Traceback" not in done.err
    assert "\x1b" not in done.err + done.out
    rows = [line.split("│")[1:-1] for line in done.out.splitlines() if line.startswith("│")]
    assert [r[0].strip() for r in rows[-6:]] == [
        n for n in ("popularity", "bm25", "random") for _ in "12"
    ]
    assert sum("failed" in "".join(row) for row in rows) == 4
    assert models(tmp_path / "results") == ["popularity"] * 2 + ["random"] * 2


OWN = [
    ("run --model bm25", "benchmark.evaluation.asking.count_scores"),
    ("run --model bm25", "benchmark.evaluation.evaluate.compute"),
    ("run --model bm25", "benchmark.running.runner.evaluate"),
    ("run --model bm25", "benchmark.running.runner.environment"),
    ("run --model bm25", "benchmark.results.record.to_bytes"),
    ("tune --trials 1 --model bm25", "benchmark.evaluation.asking.count_scores"),
    ("tune --trials 1 --model bm25", "benchmark.evaluation.evaluate.compute"),
]
"""What the harness does around a model, while it is trained and afterwards."""


@pytest.mark.parametrize(("asked", "ours"), OWN)
def test_a_fault_of_the_harness_is_not_blamed_on_the_model(
    command: Command, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, asked: str, ours: str
) -> None:
    def measured(self: BM25, train: Any, validation: Any, context: Any) -> None:
        fit(self, train, validation, context)
        validation.measure(self)

    fit = BM25.fit
    monkeypatch.setattr(BM25, "fit", measured)
    monkeypatch.setattr(ours, _raiser(ValueError("odd")))
    done = command(*asked.split(), "--dataset", tiny_folder)
    assert done.status == 2
    error = done.err.splitlines()[-1]
    assert error.startswith("error: internal error: ") and error.endswith("please report it")
    assert "bm25" in error and "ValueError: odd (test_failures.py:" in error
    assert "training failed" not in error and "Traceback" not in done.err


@pytest.mark.parametrize("error", [MemoryError("Unable"), OSError(28, "No space left", "a/b")])
def test_a_machine_that_fails_the_harness_is_nobodys_fault(
    three: Command, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("benchmark.evaluation.asking.count_scores", _raiser(error))
    done = three()
    assert done.status == 2
    errors = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 3
    assert not any("internal" in line or "report" in line for line in errors)


def test_json_holds_an_error_in_its_place(three: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BM25, "fit", _raiser(ValueError("odd")))
    done = three("--json")
    assert done.status == 2
    assert [row["model"] for row in done.json] == ["popularity", "bm25", "random"]
    assert done.json[1].keys() == {"model", "seed", "error"}


def test_what_a_model_prints_is_no_result(three: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = BM25.fit

    def loud(self: BM25, *arguments: Any) -> None:
        print("training")
        fit(self, *arguments)

    monkeypatch.setattr(BM25, "fit", loud)
    done = three("--json")
    assert (done.status, len(done.json), "training" in done.err) == (0, 3, True)


def test_debug_shows_the_traceback_of_each_failure(
    three: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BM25, "fit", _raiser(ValueError("odd")))
    done = three("--debug")
    assert "ValueError: odd" in done.err
    assert done.err.count("Traceback") >= 1
    assert "popularity" in done.out


@pytest.fixture
def textless(tmp_path: Path, tiny_folder: Path) -> Path:
    folder = tmp_path / "textless"
    folder.mkdir()
    for kind in ("inter", "query"):
        text = (tiny_folder / f"tiny.{kind}").read_text(encoding="utf-8")
        (folder / f"textless.{kind}").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "model", ["bm25", "bm25+pop", "dense", "hybrid", "tiger", "semantic-ids", "missing"]
)
@pytest.mark.parametrize("verb", ["run", "tune"])
def test_data_that_a_model_cannot_use_are_refused_before_anything_is_trained(
    command: Command, textless: Path, tmp_path: Path, model: str, verb: str
) -> None:
    names = f"popularity,{model},random"
    done = command(verb, "--model", names, "--dataset", textless, "--results", "r")
    assert_refused(done)
    assert model in done.err
    assert not (tmp_path / "r").exists()


def test_a_device_that_is_not_there_is_refused_before_anything_is_trained(
    command: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    options = ["--dataset", tiny_folder, "--device", "cuda", "--results", "r"]
    assert_refused(command("run", "--model", "sasrec", *options))
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied", "a/b"), "error: a/b: Permission denied"),
        (IsADirectoryError(21, "Is a directory", "a"), "error: a: Is a directory"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "error: internal error: UnicodeDec"),
        (MemoryError(), "error: memory ran out"),
        (RecursionError("maximum"), "error: internal error: RecursionError"),
        (KeyError("x"), "error: internal error: KeyError: 'x' (test_failures.py:"),
        (OSError("odd"), "error: internal error: OSError: odd"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_a_command_raises_is_one_line_and_never_a_failed_check(
    command: Command, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    monkeypatch.setattr("benchmark.cli.list.metric_rows", _raiser(error))
    done = command("list", "metrics")
    assert_refused(done)
    assert done.err.startswith(message)


def test_a_working_folder_that_is_gone_is_one_line(command: Command, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(gone)
        gone.rmdir()
        done = command("list", "metrics")
    assert_refused(done)
    assert "working folder" in done.err


def test_surroundings_as_they_should_be_change_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    streams = sys.stdout, sys.stderr
    check_surroundings()
    assert (sys.stdout, sys.stderr) == streams
    assert capsys.readouterr() == ("", "")
