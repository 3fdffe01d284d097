from __future__ import annotations

from pathlib import Path

import pytest

from tests.gensar.killed import killed_and_resumed
from tests.gensar.support import SMALL


def test_a_run_killed_at_any_moment_is_resumed_to_the_same_bytes(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path / "cache"))
    settings = SMALL | {"epochs": 4, "rqvae_epochs": 30}
    arguments = ["--model", "gensar", "--preset", "quick", "--dataset", str(tiny_folder)]
    for name, value in settings.items():
        written = ",".join(map(str, value)) if isinstance(value, tuple) else value
        arguments += ["--set", f"{name}={written}"]
    alone, found = killed_and_resumed(arguments, tmp_path, times=6, seed=1, small=True)
    assert len(found) == 6
    assert [share for share, after in found if after != alone] == []
