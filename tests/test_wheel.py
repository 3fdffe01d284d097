from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.data.locate import card_names

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build what a wheel holds, from a copy, and return its folder."""
    copy = tmp_path_factory.mktemp("wheel") / "source"
    copy.mkdir()
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for name in ("benchmark", "baselines", "gensar", "datasets"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "datasets" / "ml-100k" / "bulky.inter").write_text("somebody's own file")
    command = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", "../wheel"]
    subprocess.run(command, check=True, cwd=copy, capture_output=True)
    shutil.rmtree(copy)
    return copy.parent / "wheel"


def _benchmark(built: Path, cwd: Path, *arguments: str, **more: str) -> tuple[int, str, str]:
    environment = {**os.environ, "PYTHONPATH": str(built), **more}
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=environment,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_wheel_brings_the_cards_and_nothing_else_of_their_folder(
    built: Path, tmp_path: Path
) -> None:
    cards = sorted(p.parent.name for p in built.rglob("card.yaml"))
    assert tuple(cards) == card_names()
    assert not list(built.rglob("bulky.inter"))
    assert sorted(p.name for p in built.iterdir()) == ["baselines", "benchmark", "gensar"]
    status, out, err = _benchmark(built, tmp_path, "list", "datasets", "--json")
    assert (status, err) == (0, "")
    assert [one["name"] for one in json.loads(out)] == cards


def test_where_there_are_no_cards_it_is_said_where_they_were_looked_for(
    built: Path, tmp_path: Path
) -> None:
    for arguments in (["list", "datasets"], ["data", "describe", "ml-100k"]):
        status, out, err = _benchmark(built, tmp_path, *arguments, BENCHMARK_DATASETS="nowhere")
        assert (status, out) == (2, "")
        assert "no cards in nowhere; $BENCHMARK_DATASETS" in err
        assert err.count("\n") == 1
