"""Weights of a run that are whole by their checksums, and yet not the model's."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from tests.cli.conftest import Command, assert_refused


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Path:
    """The results of a model with weights of torch and of one with counts."""
    from typer.testing import CliRunner

    from benchmark.cli.app import app

    results = tmp_path_factory.mktemp("weights")
    asked = ["run", "--model", "sasrec,popularity", "--set", "sasrec.epochs=1"]
    done = CliRunner().invoke(
        app, [*asked, "--dataset", str(tiny_folder), "--results", str(results)]
    )
    assert done.exit_code == 0, done.output
    return results


def _config(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def edit(folder: Path) -> None:
        values = json.loads((folder / "config.json").read_text())
        change(values)
        (folder / "config.json").write_text(json.dumps(values))

    return edit


def _arrays(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def edit(folder: Path) -> None:
        arrays = load_file(folder / "model.safetensors")
        change(arrays)
        (folder / "model.safetensors").write_bytes(save(arrays))

    return edit


def _text(content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / "config.json").write_bytes(content)


TABLE = "item_embedding.weight"
FORGED: dict[str, tuple[str, Callable[[Path], object]]] = {
    "no JSON": ("sasrec", _text(b"{")),
    "no text": ("sasrec", _text(b"\xff\xfe")),
    "nested deep": ("sasrec", _text(b"[" * 200_000)),
    "a list": ("sasrec", _text(b"[]")),
    "nothing": ("popularity", _text(b"{}")),
    "an unknown setting": ("sasrec", _config(lambda c: c["settings"].update({"\x1b[2J": 1}))),
    "a width of text": ("sasrec", _config(lambda c: c["settings"].update(width="64"))),
    "a width of NaN": ("sasrec", _config(lambda c: c["settings"].update(dropout=float("nan")))),
    "a width below 1": ("sasrec", _config(lambda c: c["settings"].update(width=-64))),
    "a width of petabytes": ("sasrec", _config(lambda c: c["settings"].update(width=2**40))),
    "another width": ("sasrec", _config(lambda c: c["settings"].update(width=32))),
    "items that are text": ("sasrec", _config(lambda c: c["values"].update(items="many"))),
    "no values": ("sasrec", _config(lambda c: c.pop("values"))),
    "a weight less": ("sasrec", _arrays(lambda a: a.pop(TABLE))),
    "a weight more": ("sasrec", _arrays(lambda a: a.update(more=np.zeros(3)))),
    "whole numbers": ("sasrec", _arrays(lambda a: a.update({TABLE: a[TABLE].astype(np.int64)}))),
    "another shape": ("sasrec", _arrays(lambda a: a.update({TABLE: a[TABLE][:-3]}))),
    "weights of NaN": (
        "sasrec",
        _arrays(lambda a: a.update({TABLE: np.full_like(a[TABLE], np.nan)})),
    ),
    "counts of fewer items": ("popularity", _arrays(lambda a: a.update(counts=a["counts"][:5]))),
    "counts of more items": (
        "popularity",
        _arrays(lambda a: a.update(counts=np.arange(500, dtype=np.float32))),
    ),
    "counts in a table": ("popularity", _arrays(lambda a: a.update(counts=a["counts"][:, None]))),
    "counts of NaN": (
        "popularity",
        _arrays(lambda a: a.update(counts=np.full(120, np.nan, np.float32))),
    ),
    "no counts": ("popularity", _arrays(lambda a: a.clear())),
}


@pytest.mark.parametrize(("model", "forge"), FORGED.values(), ids=FORGED)
def test_weights_that_are_not_the_models_are_told_with_the_run(
    command: Command,
    runs: Path,
    tiny_folder: Path,
    tmp_path: Path,
    model: str,
    forge: Callable[[Path], object],
) -> None:
    shutil.copytree(runs, tmp_path / "results")
    (folder,) = (tmp_path / "results" / "runs" / "tiny" / model).iterdir()
    forge(folder)
    sums = json.loads((folder / "checksums.json").read_text())
    for name in ("config.json", "model.safetensors"):
        sums[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "checksums.json").write_text(json.dumps(sums))
    for asked in (
        ("predict", folder, "--user", "u1"),
        ("export", folder, "--out", tmp_path / "out"),
    ):
        done = command(*asked, "--dataset", tiny_folder)
        assert_refused(done)
        assert str(folder) in done.err
        assert "\x1b" not in done.err
        assert len(done.err) < 600
    assert not (tmp_path / "out").exists()
