from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from baselines.popularity import Popularity
from benchmark.errors import BenchmarkError, InputError
from benchmark.registry import GROUP, ModelEntry, available, find, merge

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
        available.cache_clear()

    monkeypatch.syspath_prepend(str(tmp_path))
    yield call
    sys.modules.pop("made_up", None)
    available.cache_clear()


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


def test_a_model_is_not_imported_before_it_is_asked_for(install: Install) -> None:
    install(offering("mine"))
    entry = find("mine")
    with pytest.raises(BenchmarkError, match=r"'mine' cannot be loaded: .*nowhere_at_all"):
        entry.load()


def test_the_registry_imports_no_model() -> None:
    code = (
        "import sys; from benchmark.registry import available\n"
        "modules = {e.source.partition(':')[0] for e in available().values()}\n"
        "sys.exit(', '.join(sorted((modules | {'torch'}) & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_two_packages_with_one_name_are_refused(install: Install) -> None:
    install(offering("popularity"))
    with pytest.raises(
        BenchmarkError, match=r"'popularity' is offered twice: by baselines.*made_up"
    ):
        available()


def test_a_name_given_twice_by_one_package_is_refused() -> None:
    with pytest.raises(BenchmarkError, match="'mine' is offered twice: by a and a"):
        merge([("a", [ENTRY, ENTRY])])


def test_merged_entries_are_in_the_order_of_their_names() -> None:
    names = ["b", "c", "a"]
    entries = [ModelEntry(n, ("rec",), "baseline", "", "m:M") for n in names]
    assert list(merge([("x", entries[:1]), ("y", entries[1:])])) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("source", "point", "message"),
    [
        ("import nowhere_at_all\nMODELS = []\n", "made_up:MODELS", "No module named"),
        ("MODELS = []\n", "made_up:MODELLS", "MODELLS"),
        ("1 / 0\n", "made_up:MODELS", "ZeroDivisionError"),
        ("MODELS = None\n", "made_up:MODELS", "made_up:MODELS cannot be listed"),
        ("MODELS = ['mine']\n", "made_up:MODELS", "does not hold .*ModelEntry"),
    ],
)
def test_a_broken_package_is_named(install: Install, source: str, point: str, message: str) -> None:
    install(source, point)
    with pytest.raises(BenchmarkError, match=message) as caught:
        available()
    assert "made_up" in str(caught.value)


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown model 'populrity'; did you mean 'popularity'"):
        find("populrity")
    with pytest.raises(InputError, match=r"known: .*popularity"):
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


def test_an_entry_leads_to_its_class() -> None:
    assert find("popularity").load() is Popularity


def test_every_entry_is_fit_to_be_listed() -> None:
    for name, entry in available().items():
        assert entry.name == name
        assert entry.summary
        assert "\n" not in entry.summary
        assert set(entry.tasks) <= {"rec", "search"}
        assert entry.group in ("diagnostic", "baseline", "joint")
