"""Where packages are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.data import packages


def test_the_folder_that_this_package_was_installed_into_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ``.pth`` file leads to it from an environment whose own folders do not hold it."""
    for name in ("search_rec_benchmark-0.1.0.dist-info", "another-2.0.dist-info"):
        (tmp_path / name).mkdir()
        told = f"Metadata-Version: 2.1\nName: {name.partition('-')[0]}\nVersion: 1\n"
        (tmp_path / name / "METADATA").write_text(told)
    module = tmp_path / "benchmark" / "data" / "packages.py"
    monkeypatch.setattr("benchmark.data.packages.__file__", str(module))
    found = {each.name for each in packages.installed()}
    assert {"search_rec_benchmark", "another"} <= found
    (tmp_path / "search_rec_benchmark-0.1.0.dist-info").rename(tmp_path / "x")
    assert "another" not in {each.name for each in packages.installed()}
