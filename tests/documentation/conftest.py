from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.registry import offers
from tests.data.generated.shop_log import write_shop_log
from tests.documentation.document import FILES
from tests.documentation.shell import Shell
from tests.support import looks_installed

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LOOKS_INSTALLED = """
import os, site
before = site.getsitepackages
site.getsitepackages = lambda: [*before(), os.path.dirname(__file__)]
"""
"""What a process runs when it starts, for which a folder of its path is to look installed."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pages' files and a shop's log, where their package looks installed."""
    folder = tmp_path_factory.mktemp("readme")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    project = tomllib.loads(FILES["tfidf/pyproject.toml"])["project"]
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {target}" for name, target in points.items())]
    write_shop_log(folder)
    about = folder / "tfidf" / "src" / f"{project['name']}-{project['version']}.dist-info"
    about.mkdir()
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    metadata = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (about / "METADATA").write_text(metadata, encoding="utf-8")
    (folder / "tfidf" / "src" / "sitecustomize.py").write_text(LOOKS_INSTALLED, encoding="utf-8")
    return folder


@pytest.fixture
def shell(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Shell]:
    monkeypatch.chdir(place)
    monkeypatch.setenv("BENCHMARK_CACHE", str(place / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    looks_installed(place / "tfidf" / "src", monkeypatch)
    offers.cache_clear()
    yield Shell(place, monkeypatch, capsys)
    offers.cache_clear()
    sys.modules.pop("tfidf", None)
