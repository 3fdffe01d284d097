from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmark.data.dataset import Dataset
from benchmark.data.requests import Task
from benchmark.registry import ModelEntry
from benchmark.running.identity import RunIdentity, code_digest
from benchmark.running.plan import Experiment
from benchmark.tuning.study import Study, Trial

BOTH = (Task.REC, Task.SEARCH)


@dataclass(frozen=True)
class _Settings:
    size: int = 8
    rate: float = 0.5
    layers: tuple[int, ...] = field(default=(1, 2))


STUDY = Study(
    "m", "standard", {}, "tiny", "d", ("rec",), 1, {}, "c", (Trial({"size": 8}, 0.5, {}, 1.0),)
)


def identity(dataset: Dataset, **changes: Any) -> RunIdentity:
    asked: dict[str, Any] = {
        "model": "m",
        "source": "baselines.popularity:Popularity",
        "preset": "standard",
        "settings": _Settings(),
        "tasks": BOTH,
        "protocols": ("full", "sampled"),
        "seed": 1,
        "device": "cpu",
        **changes,
    }
    entry = ModelEntry(asked["model"], ("rec", "search"), "external", "", asked["source"])
    plan = Experiment(entry, asked["settings"], asked["preset"], asked["tasks"], asked.get("study"))
    return RunIdentity.of(plan, dataset, asked["protocols"], asked["seed"], asked["device"])


def test_the_same_request_has_the_same_id(tiny: Dataset) -> None:
    name = identity(tiny).run_id
    assert name == identity(tiny).run_id
    assert re.fullmatch(r"standard-s1-[0-9a-f]{12}", name)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "other"},
        {"settings": _Settings(size=9)},
        {"settings": _Settings(rate=0.25)},
        {"settings": _Settings(layers=(2, 1))},
        {"tasks": (Task.REC,)},
        {"tasks": (Task.SEARCH,)},
        {"protocols": ("full",)},
        {"seed": 2},
        {"device": "cuda"},
        {"study": STUDY},
    ],
    ids=str,
)
def test_whatever_decides_the_outcome_changes_the_id(
    tiny: Dataset, changes: dict[str, Any]
) -> None:
    assert _digest(identity(tiny, **changes)) != _digest(identity(tiny))


@pytest.mark.parametrize("name", ["digest", "candidates_digest"])
def test_other_data_changes_the_id(tiny: Dataset, name: str) -> None:
    other = replace(tiny, **{name: "0" * 64})
    assert _digest(identity(other)) != _digest(identity(tiny))


def test_other_code_changes_the_id(tiny: Dataset) -> None:
    found = identity(tiny)
    assert _digest(replace(found, code="0" * 64)) != _digest(found)


def test_the_presets_name_alone_changes_the_prefix_only(tiny: Dataset) -> None:
    quick = identity(tiny, preset="quick")
    assert quick.run_id.startswith("quick-s1-")
    assert _digest(quick) == _digest(identity(tiny))


def _digest(found: RunIdentity) -> str:
    return found.run_id.rpartition("-")[2]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "made_up_package"
    for part in (folder, folder / "a", folder / "b"):
        part.mkdir()
        (part / "__init__.py").write_text("", encoding="utf-8")
    (folder / "a" / "code.py").write_text("x = 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def _code() -> str:
    code_digest.cache_clear()
    return code_digest(("made_up_package",))


def test_the_code_digest_covers_every_source_file(package: Path) -> None:
    seen = {_code()}
    (package / "a" / "code.py").write_text("x = 2\n", encoding="utf-8")
    seen.add(_code())
    (package / "b" / "more.py").write_text("", encoding="utf-8")
    seen.add(_code())
    (package / "b" / "more.py").rename(package / "b" / "less.py")
    seen.add(_code())
    assert len(seen) == 4
    (package / "notes.txt").write_text("no code", encoding="utf-8")
    assert _code() in seen


def test_code_that_only_reads_records_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("report/tables.py", "cli/app.py", "evaluation/ranks.py"):
        (tmp_path / "benchmark" / name).parent.mkdir(parents=True)
        (tmp_path / "benchmark" / name).write_text("x = 1\n", encoding="utf-8")
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path / "benchmark")], origin=None)
    monkeypatch.setattr("benchmark.running.identity.find_spec", lambda package: spec)

    def digest() -> str:
        code_digest.cache_clear()
        return code_digest(("benchmark",))

    before = digest()
    (tmp_path / "benchmark" / "report" / "tables.py").write_text("x = 2\n", encoding="utf-8")
    (tmp_path / "benchmark" / "cli" / "more.py").write_text("", encoding="utf-8")
    assert digest() == before
    (tmp_path / "benchmark" / "evaluation" / "ranks.py").write_text("x = 2\n", encoding="utf-8")
    assert digest() != before
    code_digest.cache_clear()


def test_a_file_that_moves_to_another_folder_is_other_code(package: Path) -> None:
    before = _code()
    (package / "a" / "code.py").rename(package / "b" / "code.py")
    assert _code() != before


def test_the_code_of_a_models_own_package_counts(tiny: Dataset, package: Path) -> None:
    code_digest.cache_clear()
    before = identity(tiny, source="made_up_package.a.code:Model")
    (package / "a" / "code.py").write_text("x = 3\n", encoding="utf-8")
    code_digest.cache_clear()
    assert identity(tiny, source="made_up_package.a.code:Model").run_id != before.run_id


def test_a_package_of_one_module_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "made_up_package.py"
    file.write_text("x = 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = _code()
    file.write_text("x = 2\n", encoding="utf-8")
    assert _code() != before
