"""The rooms of the house import one way. Read from the syntax tree; nothing is imported here.

Imports under ``TYPE_CHECKING`` and inside of functions count like any other.
"""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TIERS = """version plain_text; errors unfinished signals subnormals;
    files names locks remarks failures processes type_faults control_groups;
    folders progress_lines bounded_json process_group; target; sealed; engine; tracking;
    settings run_log; statistics; data;
    search_space top_k model_protocols shared_steps needs budget given; model;
    registry; learning; evaluation; testing; results; running; tuning exchange inspect; sweeping;
    cleaning; analysis; report; api; cli; __main__"""
"""The rooms of ``benchmark``, lowest first: each imports lower ones and itself."""
HEIGHT = {room: i for i, tier in enumerate(TIERS.split(";")) for room in tier.split()}
KNOWN = {
    "benchmark": ("benchmark",),
    "benchmark.statistics": ("benchmark.statistics", "benchmark.errors"),
    "gensar": ("gensar", "benchmark"),
    "gensar.engine": ("gensar.engine", "benchmark"),
    "baselines": ("baselines", "gensar", "benchmark"),
}
"""All that a package imports of this project."""
NEVER = ("perf", "tests")
"""What stands beside the packages and is imported by none."""
OWN_WORDS = {"bm25", "popularity", "random"}
"""Names of models that the harness needs for things of its own: negatives, slices, generators."""

Sources = dict[str, str]
"""The texts of modules by dotted name."""


def _sources(*packages: str) -> Sources:
    files = [file for package in packages for file in sorted((ROOT / package).rglob("*.py"))]
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    return {n.removesuffix(".__init__"): f.read_text() for n, f in zip(names, files, strict=True)}


def _within(name: str, package: str) -> bool:
    return f"{name}.".startswith(f"{package}.")


def _imports(sources: Sources) -> dict[str, set[str]]:
    """Return the modules that each module imports."""
    imports: dict[str, set[str]] = {name: set() for name in sources}
    for name, text in sources.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name}: imports are written in full"
                members = [f"{node.module}.{alias.name}" for alias in node.names]
                imports[name] |= {m if m in sources else str(node.module) for m in members}
            elif isinstance(node, ast.Import):
                imports[name] |= {alias.name for alias in node.names}
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                imports[name] |= {a.value for a in node.args if isinstance(a, ast.Constant)}
    return {
        name: {m for m in found if m in sources or m.split(".")[0] in NEVER} - {name}
        for name, found in imports.items()
    }


def _upward(sources: Sources) -> set[str]:
    """Return the imports that lead up, or out of what a package may know."""
    upward = set()
    for name, imported in _imports(sources).items():
        for other in imported:
            known = [only for package, only in KNOWN.items() if _within(name, package)]
            right = all(any(_within(other, one) for one in only) for only in known)
            if right and _within(name, "benchmark"):
                own, room = ([*module.split("."), "__main__"][1] for module in (name, other))
                lower = HEIGHT.get(room, len(HEIGHT)) < HEIGHT.get(own, -1)
                right = own == room or (lower and room != "learning")
            if not right:
                upward.add(f"{name} -> {other}")
    return upward


def _circle(sources: Sources) -> list[str]:
    """Return a circle of modules, or of packages of any depth, or nothing."""
    imports = _imports(sources)
    for depth in range(1, 2 + max(name.count(".") for name in sources)):
        graph: dict[str, set[str]] = {}
        for name, imported in imports.items():
            own, *others = (".".join(n.split(".")[:depth]) for n in (name, *imported))
            graph.setdefault(own, set()).update({*others} - {own})
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            return list(error.args[1])
    return []


def _model_names() -> set[str]:
    """Return the names in the first argument of every ``ModelEntry``; of "a:{b}" it is "a:".

    Of a family it is what its names begin with.
    """
    names = set()
    for text in _sources("baselines", "gensar").values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "ModelEntry":
                names |= {n.value for n in ast.walk(node.args[0]) if isinstance(n, ast.Constant)}
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "ModelFamily":
                names.add(f"{ast.literal_eval(node.args[0]).partition(':')[0]}:")
    return names


def _models_named(sources: Sources) -> set[str]:
    """Return where a model is named: by a whole string, or, by no ordinary word, anywhere.

    Last.fm is where data are from.
    """
    found, names = set(), _model_names() - OWN_WORDS
    for module, text in sources.items():
        constants = [n.value for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Constant)]
        strings = {value.lower() for value in constants if isinstance(value, str)}
        for name in names:
            word = rf"(?<!last\.)\b{re.escape(name)}" + ("" if name.endswith(":") else r"\b")
            ordinary = name in ("constant", "dense", "hybrid", "encoder:")
            if name in strings or (not ordinary and re.search(word, text, re.IGNORECASE)):
                found.add(f"{module}: {name}")
    return found


def test_imports_lead_down() -> None:
    assert _upward(_sources("benchmark", "baselines", "gensar")) == set()


def test_neither_modules_nor_packages_import_in_circles() -> None:
    assert _circle(_sources("benchmark", "baselines", "gensar")) == []


def test_the_harness_names_no_model() -> None:
    named = {"sasrec", "gensar", "recbole:", "hybrid", "encoder:", "rerank:"}
    assert named < _model_names()
    assert _models_named(_sources("benchmark")) == set()


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("benchmark.data.card", "import benchmark.model"),
        ("benchmark.model", "if TYPE_CHECKING:\n    from benchmark import registry"),
        ("benchmark.evaluation.counts", "def f():\n    from benchmark.learning import ragged"),
        ("benchmark.registry", "from baselines.popularity import Popularity"),
        ("benchmark.statistics.paired", "from benchmark.settings import setting"),
        ("gensar.engine.trie", "from gensar.settings import GenSARSettings"),
        ("gensar.model", "import baselines.words"),
        ("gensar.model", "from tests import support"),
        ("benchmark.data.card", 'def f():\n    importlib.import_module("benchmark.cli.app")'),
    ],
)
def test_a_planted_import_is_found(module: str, line: str) -> None:
    sources = _sources("benchmark", "baselines", "gensar")
    before = _upward(sources)
    sources[module] += f"\n{line}\n"
    assert len(_upward(sources) - before) == 1


def test_planted_circles_are_found() -> None:
    assert _circle({"a.x": "import a.y", "a.y": "def f():\n    import a.x"})
    assert _circle({"a.x.p": "import a.y.p", "a.y.q": "import a.x.q", "a.y.p": "", "a.x.q": ""})
    assert not _circle({"a.x.p": "import a.y.p", "a.x.q": "import a.x.p, a.y.p", "a.y.p": ""})


def test_planted_names_are_found() -> None:
    named = {"a": 'x = "dense"', "b": "# as SASRec does", "c": 'x = "recbole:NARM"'}
    named |= {"d": "# Last.fm", "e": "# as FM does"}
    assert _models_named(named) == {"a: dense", "b: sasrec", "c: recbole:", "e: fm"}
    assert not _models_named({"a": "import numpy as np\nnp.random.default_rng()\ndense = {}"})
