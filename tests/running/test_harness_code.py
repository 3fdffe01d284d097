"""The code that is the same for all models, and what the models of this repository stand on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmark import registry
from benchmark.running import identity
from benchmark.running.identity import code_digest, harness_digest
from benchmark.running.import_closure import import_closure, source_file
from benchmark.running.syntax import syntax_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the packages that digests are made of."""
    for name in ("benchmark", "baselines", "gensar"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))

    def of_copy(module: str) -> Path | None:
        file = source_file(module)
        return None if file is None else tmp_path / file.relative_to(ROOT)

    monkeypatch.setattr("benchmark.running.import_closure.source_file", of_copy)
    return tmp_path


def _append(file: Path, text: str) -> None:
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")


def _new_baseline(copy: Path) -> None:
    (copy / "baselines" / "newest.py").write_text("x = 1\n", encoding="utf-8")
    _append(copy / "baselines" / "__init__.py", "\nMODELS = (*MODELS, None)\n")


def _docstring(copy: Path) -> None:
    for file in copy.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if text.startswith('"""'):
            file.write_text('"""Otherwise. ' + text[3:], encoding="utf-8")


def _command(copy: Path) -> None:
    (copy / "benchmark" / "cli" / "newest.py").write_text("x = 1\n", encoding="utf-8")
    for room in ("cli/app.py", "report/html.py", "analysis/leaderboard.py", "statistics/paired.py"):
        _append(copy / "benchmark" / room, "\nx = 1\n")


@pytest.mark.parametrize("change", [_new_baseline, _docstring, _command])
def test_what_cannot_change_a_run_leaves_every_digest(copy: Path, change) -> None:
    entries = [registry.find(name) for name in ("popularity", "bm25", "gensar")]
    before = harness_digest(), [code_digest(entry) for entry in entries]
    change(copy)
    assert (harness_digest(), [code_digest(entry) for entry in entries]) == before


def test_the_harness_decides_every_run(copy: Path) -> None:
    entry = registry.find("popularity")
    before = harness_digest(), code_digest(entry)
    _append(copy / "benchmark" / "evaluation" / "counts.py", "\nx = 1\n")
    assert harness_digest() != before[0]
    assert code_digest(entry) != before[1]


@pytest.mark.parametrize(
    ("model", "module", "decides"),
    [
        ("gensar", registry.find("sasrec").source, True),
        ("gensar", registry.find("unisar").source, True),
        ("gensar", registry.find("bm25").source, False),
        ("tiger", registry.find("sasrec").source, True),
        ("popularity", registry.find("popularity").source, True),
        ("popularity", registry.find("gensar").source, False),
        ("tiger", "gensar.engine.trie", True),
        ("bm25", "benchmark.learning.training_loop", False),
        ("sasrec", "benchmark.learning.training_loop", True),
    ],
)
def test_an_edit_counts_for_the_models_that_stand_on_the_module(
    copy: Path, model: str, module: str, decides: bool
) -> None:
    entry = registry.find(model)
    before = code_digest(entry)
    file = source_file(module.partition(":")[0])
    assert file is not None
    _append(copy / file.relative_to(ROOT), "\nx = 1\n")
    assert (code_digest(entry) != before) == decides


def test_the_harness_stands_on_no_model_and_no_reader_of_records() -> None:
    packages = {"benchmark", "baselines", "gensar"}
    found = import_closure(identity._HARNESS, packages, not_as_parent=registry.listings())
    readers = ("cli", "report", "analysis", "statistics", "tuning", "exchange", "inspect")
    assert all(name.startswith("benchmark") for name in found)
    assert not [name for name in found for room in readers if f"benchmark.{room}" in name]
    assert {"benchmark.evaluation.evaluate", "benchmark.model", "benchmark.data.requests"} < set(
        found
    )


def test_all_versions_of_python_agree_on_a_source() -> None:
    source = '''"""A module."""
from __future__ import annotations
import a.b as c
from . import d
@e(1, *f, **g)
class H(I, metaclass=J):
    """A class."""
    k: int = 0
    async def l(self, m, /, n=1, *o, p: str = "q", **r) -> None:
        with s as t, u: yield [v async for v in w if x], {**y}, lambda: (z := 1)
        a = f"{b:>{c}}"; d(f"{e:{f}}"); g = "\u9fff"
        return f"{a!r:>{b}} and {c}" "d", 1.5, 2j, None, ..., b"e", not f, g if h else -i
def j():
    try: del k[1:2, ::3]
    except (l, m) as n: raise o from p
    else: global q
    finally: pass
    match r:
        case {"s": [t, *_], **u} | V(w=1) if x: y += 1
'''.encode()
    assert syntax_of(source).digest == (
        "132aafd82f847b9e43eb068b462210e43eaa7c32fb33628508c643acf2696441"
    )
