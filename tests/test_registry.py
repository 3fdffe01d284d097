from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from baselines.popularity import Popularity
from benchmark.errors import BenchmarkError, InputError
from benchmark.names import is_name
from benchmark.registry import (
    GROUP,
    ModelEntry,
    ModelFamily,
    available,
    find,
    is_taken,
    known,
    merge,
    offers,
)
from benchmark.running.identity import code_digest
from benchmark.running.plan_rules import plan_experiments
from tests.support import looks_installed

ENTRY = ModelEntry("mine", ("rec",), "external", "a model", "made_up.model:Mine")

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package that offers models: its module's source, and its entry point."""

    def call(source: str, point: str = "made_up:MODELS") -> None:
        module = point.partition(":")[0]
        (tmp_path / f"{module}.py").write_text(source, encoding="utf-8")
        about = tmp_path / f"{module}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Name: {module}\nVersion: 1.0\n", encoding="utf-8")
        text = f"[{GROUP}]\n{module} = {point}\n"
        (about / "entry_points.txt").write_text(text, encoding="utf-8")
        monkeypatch.delitem(sys.modules, module, raising=False)
        offers.cache_clear()

    looks_installed(tmp_path, monkeypatch)
    yield call
    sys.modules.pop("made_up", None)
    offers.cache_clear()


def offering(name: str) -> str:
    return (
        "from benchmark.registry import ModelEntry\n"
        f"MODELS = [ModelEntry({name!r}, ('rec',), 'external', 's', 'nowhere_at_all:Model')]\n"
    )


def test_models_of_another_package_are_found_by_its_entry_point(install: Install) -> None:
    before = set(available())
    install(offering("mine"))
    assert set(available()) == {*before, "mine"}
    assert find("mine").group == "external"


@pytest.mark.parametrize("path", [None, "."], ids=["working folder", "PYTHONPATH"])
def test_models_of_the_working_folder_or_the_path_neither_run_nor_count(
    install: Install, tmp_path: Path, path: str | None
) -> None:
    install("import os\nos.mkdir('ran')\n" + offering("mine"), "made_up:MODELS")
    ours = str(Path(__file__).resolve().parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", "list", "models"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [path, ours]))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "popularity" in done.stdout and "mine" not in done.stdout
    assert not (tmp_path / "ran").exists()


def test_a_model_is_not_imported_before_it_is_asked_for(install: Install) -> None:
    install(offering("mine"))
    entry = find("mine")
    with pytest.raises(BenchmarkError, match=r"'mine' cannot be loaded: .*nowhere_at_all"):
        entry.load()


def test_the_registry_imports_no_model() -> None:
    code = (
        "import sys; from benchmark.registry import available\n"
        "modules = {e.source.partition(':')[0] for e in available().values()}\n"
        "slow = {'torch', 'numpy', 'pydantic'}\n"
        "sys.exit(', '.join(sorted((modules | slow) & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")


def entry(name: str, **changed: Any) -> ModelEntry:
    return replace(ModelEntry(name, ("rec",), "external", "s", "m:M"), **changed)


def test_our_own_models_stay_ours(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    # A name that sorts before ours.
    install(offering("popularity"), "aaa:MODELS")
    assert find("popularity").source == "baselines.popularity:Popularity"
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "aaa:MODELS are left out: model 'popularity' is offered twice: by baselines" in said


def test_a_package_whose_names_clash_is_left_out_as_a_whole() -> None:
    merged = merge([("a", [entry("x")]), ("b", [entry("y"), entry("x")]), ("c", [entry("y")])])
    assert list(merged.entries) == ["x", "y"]
    assert merged.faults == {"b": "model 'x' is offered twice: by a and b"}
    twice = merge([("a", [ENTRY, ENTRY])])
    assert (twice.entries, twice.lost) == ({}, {"mine": "a"})
    assert twice.faults == {"a": "model 'mine' is offered twice: by a and a"}


def test_merged_entries_are_in_the_order_of_their_names() -> None:
    entries = [entry(name) for name in "bca"]
    assert list(merge([("x", entries[:1]), ("y", entries[1:])]).entries) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "wrong",
    [
        entry("../../x"),
        entry(""),
        entry("a\nb"),
        entry("a\x1b[31m"),
        entry(7),  # type: ignore[arg-type]
        entry("x", tasks=()),
        entry("x", tasks=("rek",)),
        entry("x", tasks="rec"),
        entry("x", group="mine"),
        entry("x", source="no_class"),
        entry("x", source=None),
        entry("x", summary=None),
        "x",
        None,
    ],
    ids=repr,
)
def test_a_wrong_entry_is_named_in_one_line_and_left_out(wrong: Any) -> None:
    merged = merge([("good", [ENTRY]), ("bad", [wrong])])
    assert list(merged.entries) == ["mine"]
    (reason,) = merged.faults.values()
    assert reason.isprintable()


@pytest.mark.parametrize(
    ("source", "point", "message"),
    [
        ("import nowhere_at_all\nMODELS = []\n", "made_up:MODELS", "No module named"),
        ("MODELS = []\n", "made_up:MODELLS", "MODELLS"),
        ("1 / 0\n", "made_up:MODELS", "ZeroDivisionError"),
        ("MODELS = None\n", "made_up:MODELS", "TypeError"),
        ("MODELS = ['mine']\n", "made_up:MODELS", "does not hold .*ModelEntry"),
        ("import sys\nsys.exit(0)\n", "made_up:MODELS", r"sys.exit\(0\) was called"),
        ("class E(BaseException): pass\nraise E('\\x1b[2J\\n')\n", "made_up:MODELS", "E: "),
        ("print('to stdout')\nraise MemoryError\n", "made_up:MODELS", "memory ran out"),
        ("def f(): f()\nf()\n", "made_up:MODELS", "RecursionError"),
        ("MODELS = (1 / 0 for _ in 'a')\n", "made_up:MODELS", "ZeroDivisionError"),
    ],
)
def test_a_broken_package_is_named_once_and_left_out(
    install: Install,
    capsys: pytest.CaptureFixture[str],
    source: str,
    point: str,
    message: str,
) -> None:
    before = set(available())
    capsys.readouterr()
    install(source, point)
    assert set(available()) == before
    known()
    with pytest.raises(InputError, match=rf"'zzzz'; left out is {point}: .*{message}"):
        find("zzzz")
    told = capsys.readouterr()
    lines = [line for line in told.err.splitlines() if line != "to stdout"]
    assert len(lines) == 1
    assert lines[0].startswith(f"the models of {point} are left out: ")
    assert re.search(message, lines[0])
    assert lines[0].isprintable()
    assert told.out == ""


def test_asking_for_a_model_of_a_package_at_fault_tells_the_reason(install: Install) -> None:
    install(offering("mine") + "MODELS *= 2\n")
    with pytest.raises(InputError, match=r"'mine': made_up:MODELS is left out: .* twice"):
        find("mine")


def test_ctrl_c_is_no_fault_of_a_package(install: Install) -> None:
    install("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        available()


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown model 'populrity'; did you mean 'popularity'"):
        find("populrity")
    with pytest.raises(InputError, match=r"see `python -m benchmark list models`"):
        find("zzzzzzzz")


@pytest.mark.parametrize(
    "source", ["baselines.popularity:Nothing", "baselines.nothing:Model", "baselines.popularity"]
)
def test_a_class_that_is_not_there_is_named(source: str) -> None:
    with pytest.raises(BenchmarkError, match="model 'mine' cannot be loaded"):
        ModelEntry("mine", ("rec",), "baseline", "", source).load()


@pytest.mark.parametrize("source", ["pathlib:Path", "benchmark.model:top_k"])
def test_what_is_no_model_is_refused(source: str) -> None:
    with pytest.raises(BenchmarkError, match=r"is no benchmark\.model\.Model"):
        ModelEntry("mine", ("rec",), "baseline", "", source).load()


CLASS = """
import sys
from dataclasses import dataclass
from baselines.popularity import Popularity
from benchmark.model import Model

class Search(Popularity):
    tasks = frozenset({"search"})

class Nothing(Popularity):
    tasks = None

class Undecided(Model):
    tasks = frozenset({"rec"})

class Loose(Popularity):
    Settings = dict

@dataclass(frozen=True)
class Several:
    several: object = frozenset({1, 2})

class Untold(Popularity):
    Settings = Several

def __getattr__(name):
    sys.exit(f"no {name}")
"""


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("Search", "offered for rec, but made_up:Search serves search"),
        ("Nothing", "made_up:Nothing serves no task"),
        ("Undecided", "made_up:Undecided lacks fit, restore, score, state"),
        ("Missing", r"cannot be loaded: sys.exit\('no Missing'\) was called"),
    ],
)
def test_a_class_that_cannot_serve_is_named(install: Install, attribute: str, message: str) -> None:
    install(CLASS + "MODELS = []\n", "made_up:MODELS")
    with pytest.raises(BenchmarkError, match=f"model 'mine'.*{message}"):
        entry("mine", source=f"made_up:{attribute}").load()


def test_settings_that_are_no_dataclass_are_named(install: Install) -> None:
    install(CLASS + "MODELS = []\n", "made_up:MODELS")
    loose = entry("mine", source="made_up:Loose")
    with pytest.raises(BenchmarkError, match=r"'mine': made_up:Loose.Settings is no dataclass"):
        plan_experiments([loose], ["rec"], "standard", [])


def test_settings_that_no_record_could_hold_are_named(install: Install) -> None:
    install(CLASS + "MODELS = []\n", "made_up:MODELS")
    untold = entry("mine", source="made_up:Untold")
    with pytest.raises(BenchmarkError, match=r"'mine' cannot be made: .* not JSON serializable"):
        plan_experiments([untold], ["rec"], "standard", [])


def test_an_entry_leads_to_its_class() -> None:
    assert find("popularity").load() is Popularity


def test_every_entry_is_fit_to_be_listed() -> None:
    for name, entry in available().items():
        assert entry.name == name
        assert entry.summary
        assert "\n" not in entry.summary
        assert set(entry.tasks) <= {"rec", "search"}
        assert entry.group in ("diagnostic", "baseline", "joint")


def _made(part: str) -> ModelEntry:
    if part == "wrong":
        raise InputError("nothing can be made of it")
    return ModelEntry("x", ("rec",), "external", "s", "m:M", settings=(("part", part),))


FAMILY = ModelFamily("shape:NAME", ("rec",), "external", "s", _made)


def test_a_family_has_all_names_that_begin_like_its_own() -> None:
    merged = merge([("a", [FAMILY]), ("b", [entry("shape:round")]), ("c", [entry("y"), FAMILY])])
    assert list(merged.entries) == []
    assert list(merged.families) == ["shape:"]
    assert merged.faults == {
        "b": "model 'shape:round' is offered twice: by a and b",
        "c": "model 'shape:' is offered twice: by a and c",
    }


@pytest.mark.parametrize(
    "wrong",
    [replace(FAMILY, form=f) for f in ("shape", "shape:", ":NAME", "a/b:NAME")],
    ids=lambda f: f.form,
)
def test_a_family_whose_form_is_none_is_left_out(wrong: ModelFamily) -> None:
    assert list(merge([("good", [ENTRY]), ("bad", [wrong])]).faults) == ["bad"]


def test_a_name_of_any_signs_becomes_one_that_folders_take_and_leads_to_the_same() -> None:
    given = "encoder:intfloat/multilingual-e5-small"
    found = find(given)
    assert is_name(found.name)
    assert found.name.startswith("encoder:intfloat-multilingual-e5-small-")
    assert find(found.name).name == found.name
    assert dict(found.settings) == {"encoder": "intfloat/multilingual-e5-small"}
    others = [find("encoder:" + name).name for name in ("/a/b", "a/b", "a-b", "../a/b", "a b")]
    assert len(set(others)) == len(others)
    assert all(map(is_name, others))


def test_what_stands_first_in_a_name_is_the_longest_model_that_can() -> None:
    for first in ("bm25", "bm25+pop", "query-pop+item-knn", "encoder:a/b+c", "hybrid"):
        found = find(f"rerank:{first}+some/cross-encoder")
        assert dict(found.settings) == {"first": first, "cross_encoder": "some/cross-encoder"}
        assert find(first).source.partition(":")[0] in found.uses
        code_digest(found)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("encoder:", "write it as encoder:NAME"),
        ("rerank:bm25", r"write it as rerank:FIRST\+NAME"),
        ("rerank:bm25+", r"write it as rerank:FIRST\+NAME"),
        ("rerank:bm52+x", "unknown model 'bm52'; did you mean 'bm25'"),
        ("rerank:sasrec+x", "sasrec serves rec only"),
        ("encodr:x", "did you mean 'encoder:NAME'"),
    ],
)
def test_a_name_that_nothing_can_be_made_of_is_refused(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find(name)


def test_settings_reach_a_model_by_either_of_its_names_but_not_what_the_name_says() -> None:
    given = "encoder:a/b"
    for owner in (given, find(given).name):
        (plan,) = plan_experiments([find(given)], ["search"], "quick", [f"{owner}.longest=9"])
        assert (plan.settings.encoder, plan.settings.longest) == ("a/b", 9)
    with pytest.raises(InputError, match="the name of the model says it"):
        plan_experiments([find(given)], ["search"], "quick", [f"{given}.encoder=minilm"])
    with pytest.raises(InputError, match="--set encoder: unknown setting"):
        plan_experiments([find(given)], ["search"], "quick", ["encoder=minilm"])
    both = plan_experiments(
        [find(given), find("dense")], ["search"], "quick", ["encoder=minilm", "longest=7"]
    )
    assert [plan.settings.encoder for plan in both] == ["a/b", "minilm"]
    assert [plan.settings.longest for plan in both] == [7, 7]


def test_an_outside_system_has_no_name_that_a_model_could_be_asked_for_by() -> None:
    assert is_taken("popularity") and is_taken("encoder:anything")
    assert not is_taken("mine") and not is_taken("other:anything")
