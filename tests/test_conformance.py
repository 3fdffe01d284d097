"""Every registered model runs through every check, without anybody adding it here."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from benchmark.data.dataset import Dataset
from benchmark.registry import available, find
from benchmark.testing import CHECKS, Subject

ROOT = Path(__file__).resolve().parents[1]


@cache
def _subject(name: str, dataset_id: int) -> Subject:
    return Subject(find(name), _DATASETS[dataset_id])


_DATASETS: dict[int, Dataset] = {}


@pytest.mark.parametrize("name", sorted(available()))
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.strip("_"))
@pytest.mark.xdist_group("conformance")
def test_model_conforms(name: str, check, tiny: Dataset) -> None:
    _DATASETS[id(tiny)] = tiny
    check(_subject(name, id(tiny)))


def test_the_datasets_folder_shadows_nothing_that_matters() -> None:
    assert not list((ROOT / "datasets").rglob("*.py"))
    code = "import transformers, sentence_transformers"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
