"""What of the code decides a run: edits that leave old runs valid, and edits that do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark import registry
from benchmark.errors import BenchmarkError
from benchmark.registry import ModelEntry
from benchmark.running.identity import code_digest, harness_digest
from benchmark.running.import_closure import import_closure

TYPING = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
FILES = {
    "models/__init__.py": "from models.names import MORE\nMODELS = [1, *MORE]\n",
    "models/names.py": "MORE = [2]\n",
    "models/one.py": "from models.deep import layers\nimport helper.tools\nx = 1\n",
    "models/two.py": "x = 2\n",
    "models/deep/__init__.py": "",
    "models/deep/layers.py": "from . import sizes\nfrom ..lazy import late\n",
    "models/deep/sizes.py": "def size():\n    from models.deep.inner import n\n    return n\n",
    "models/deep/inner.py": "n = 3\n",
    "models/lazy.py": TYPING + "    import models.types\n",
    "models/types.py": "",
    "models/loaded.py": "import models.below\n",
    "models/below.py": "",
    "helper/__init__.py": "",
    "helper/tools.py": "",
    "benchmark_like.py": "",
}
ONE = ModelEntry("one", ("rec",), "external", "", "models.one:Model")
TWO = ModelEntry("two", ("rec",), "external", "", "models.two:Model")
LOADER = ModelEntry("loader", ("rec",), "external", "", "models.two:Model", uses=("one",))
MODULE = ModelEntry("module", ("rec",), "external", "", "models.two:Model", uses=("models.loaded",))
ENTRIES = {entry.name: entry for entry in (ONE, TWO, LOADER, MODULE)}

Edit = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """Two packages; models are listed in one of them."""

    def call(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")

    for name, text in FILES.items():
        call(name, text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry, "available", lambda: ENTRIES)
    monkeypatch.setattr(registry, "listings", lambda: frozenset({"models"}))
    return call


def test_the_closure_holds_what_is_imported_and_nothing_else() -> None:
    assert set(import_closure(["models.one"], ["models"])) == {
        "models",
        "models.names",
        "models.one",
        "models.deep",
        "models.deep.layers",
        "models.deep.sizes",
        "models.deep.inner",
        "models.lazy",
    }
    assert {"helper", "helper.tools"} < set(import_closure(["models.one"], ["models", "helper"]))


def test_a_list_of_models_is_no_part_of_those_that_it_lists() -> None:
    found = set(import_closure(["models.one"], ["models"], not_as_parent=["models"]))
    assert found.isdisjoint({"models", "models.names"})
    assert "models" in import_closure(["models"], ["models"], not_as_parent=["models"])


def test_modules_that_are_left_out_are_not_followed() -> None:
    found = import_closure(["models.one"], ["models"], left_out=["models.deep"])
    assert set(found) == {"models", "models.names", "models.one"}


def test_imports_in_a_circle_come_to_an_end(edit: Edit) -> None:
    edit("models/below.py", "import models.loaded\n")
    assert {"models.below", "models.loaded"} < set(import_closure(["models.below"], ["models"]))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("models/one.py", '"""What it is."""\nfrom models.deep import layers  # a comment\n'
         'import helper.tools\n\n\nx = 1\n"""What x is."""\n__all__ = ["x"]\n'),
        ("models/deep/sizes.py", 'def size():\n    "Say how large."\n    from models.deep.inner'
         " import (n)\n    return (n)\n"),
        ("models/lazy.py", TYPING + "    import models.two\n"),
        ("models/__init__.py", "from models.names import MORE\nMODELS = [1, 7, *MORE]\n"),
        ("models/names.py", "MORE = [2, 5]\n"),
        ("models/three.py", "x = 3\n"),
        ("models/two.py", "x = 9\n"),
        ("models/types.py", "x = 9\n"),
        ("models/loaded.py", "x = 9\n"),
        ("helper/more.py", "x = 9\n"),
        ("helper/tools.py", "x = 9\n"),
    ],
)  # fmt: skip
def test_an_edit_that_cannot_change_a_run_leaves_its_code_as_it_is(
    edit: Edit, name: str, text: str
) -> None:
    before = code_digest(ONE), harness_digest()
    edit(name, text)
    assert (code_digest(ONE), harness_digest()) == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("models/one.py", "from models.deep import layers\nimport helper.tools\nx = 7\n"),
        ("models/deep/layers.py", "from . import sizes\nfrom ..lazy import late\nx = 1\n"),
        ("models/deep/inner.py", "n = 4\n"),
        ("models/deep/__init__.py", "x = 1\n"),
        ("models/lazy.py", TYPING + "    pass\nelse:\n    import models.two\n"),
    ],
)  # fmt: skip
def test_an_edit_below_a_model_is_other_code(edit: Edit, name: str, text: str) -> None:
    before, others, harness = code_digest(ONE), code_digest(TWO), harness_digest()
    edit(name, text)
    assert code_digest(ONE) != before
    assert (code_digest(TWO), harness_digest()) == (others, harness)


@pytest.mark.parametrize(
    ("entry", "name"),
    [(LOADER, "models/one.py"), (LOADER, "models/deep/inner.py"), (MODULE, "models/loaded.py"),
     (MODULE, "models/below.py")],
)  # fmt: skip
def test_what_a_model_loads_by_name_counts(edit: Edit, entry: ModelEntry, name: str) -> None:
    before, without = code_digest(entry), code_digest(TWO)
    edit(name, FILES[name] + "y = 1\n")
    assert code_digest(entry) != before
    assert code_digest(TWO) == without


def test_what_is_used_by_what_is_used_counts(edit: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    outer = ModelEntry("outer", ("rec",), "external", "", "models.types:Model", uses=("loader",))
    before = code_digest(outer)
    edit("models/deep/inner.py", "n = 5\n")
    assert code_digest(outer) != before


def test_a_name_that_leads_nowhere_is_told() -> None:
    lost = ModelEntry("lost", ("rec",), "external", "", "models.two:Model", uses=("models.gone",))
    with pytest.raises(
        BenchmarkError, match=r"'lost' uses 'models\.gone': no such model or module"
    ):
        code_digest(lost)


def test_a_model_in_the_very_module_that_lists_it_counts(edit: Edit) -> None:
    single = ModelEntry("single", ("rec",), "external", "", "models:Model")
    before = code_digest(single)
    edit("models/__init__.py", FILES["models/__init__.py"] + "class Model: ...\n")
    assert code_digest(single) != before


def test_a_package_of_one_module_counts(edit: Edit) -> None:
    single = ModelEntry("single", ("rec",), "external", "", "benchmark_like:Model")
    before = code_digest(single)
    edit("benchmark_like.py", "x = 1\n")
    assert code_digest(single) != before


def test_a_module_that_moves_is_other_code(edit: Edit, tmp_path: Path) -> None:
    before = code_digest(ONE)
    (tmp_path / "models" / "deep" / "inner.py").rename(tmp_path / "models" / "deep" / "moved.py")
    edit("models/deep/sizes.py", FILES["models/deep/sizes.py"].replace("inner", "moved"))
    assert code_digest(ONE) != before
