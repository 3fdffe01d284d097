"""Arrays that a run keeps for itself and others."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from safetensors.numpy import save

from benchmark.data.requests import Task
from benchmark.model import TrainingContext
from benchmark.sealed import DamagedError, write_sealed

MADE = {"items": np.arange(6, dtype=np.float32).reshape(2, 3).T}


def _context(folder: Path, identity: str = "run", common: Path | None = None) -> TrainingContext:
    return TrainingContext((Task.REC,), 1, checkpoints=folder, common=common, identity=identity)


def _never() -> NoReturn:
    raise AssertionError


def test_what_was_made_is_taken_up(tmp_path: Path) -> None:
    first = _context(tmp_path).kept("vectors", lambda: MADE)
    again = _context(tmp_path).kept("vectors", _never)
    np.testing.assert_array_equal(first["items"], again["items"])
    assert TrainingContext((Task.REC,), 1).kept("vectors", lambda: MADE).keys() == MADE.keys()


def test_what_belongs_elsewhere_is_not_taken_up(tmp_path: Path) -> None:
    _context(tmp_path).kept("vectors", lambda: MADE)
    (tmp_path / "others.safetensors").write_bytes((tmp_path / "vectors.safetensors").read_bytes())
    for identity, name in (("another", "vectors"), ("run", "others")):
        with pytest.raises(DamagedError, match=f"{name}.safetensors: damaged, or of another run"):
            _context(tmp_path, identity).kept(name, _never)


def test_a_part_and_a_shared_step_have_files_of_their_own(tmp_path: Path) -> None:
    run = _context(tmp_path / "run", common=tmp_path / "common")
    contexts = [
        run,
        run.part("part"),
        run.shared("a"),
        run.shared("b"),
        run.shared("a").part("part"),
    ]
    for number, context in enumerate(contexts):
        context.kept("vectors", lambda number=number: {"items": np.array([number])})
    found = [int(context.kept("vectors", _never)["items"][0]) for context in contexts]
    assert found == [0, 1, 2, 3, 4]
    assert len({context.identity for context in contexts}) == 5
    other = _context(tmp_path / "other", "another", common=tmp_path / "common")
    assert other.shared("a").kept("vectors", _never)["items"].tolist() == [2]


@pytest.mark.parametrize("content", [b"", b"nonsense", save(MADE)[:-1]])
def test_sealed_bytes_that_are_no_arrays_are_called_damaged(tmp_path: Path, content: bytes) -> None:
    write_sealed(tmp_path / "vectors.safetensors", content, "run/vectors")
    with pytest.raises(DamagedError, match="holds no arrays"):
        _context(tmp_path).kept("vectors", _never)
