"""``model new`` writes a package that trains and holds every check; ``check-model`` tells."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.registry import available, find, offers
from benchmark.testing import ADVICE, CHECKS, made_up_data
from tests.support import looks_installed

from .conftest import Command, assert_refused

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture
def package(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a package, and let it look installed."""
    said = command("model", "new", "my-first").out
    folder = tmp_path / "my-first"
    assert "check-model my-first" in said
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    about = folder / "src" / f"my_first-{project['version']}.dist-info"
    about.mkdir()
    ((name, target),) = project["entry-points"]["benchmark.models"].items()
    (about / "entry_points.txt").write_text(f"[benchmark.models]\n{name} = {target}\n")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-first\nVersion: 0.1.0\n")
    looks_installed(folder / "src", monkeypatch)
    offers.cache_clear()
    yield folder
    offers.cache_clear()
    sys.modules.pop("my_first", None)


def test_a_new_model_holds_every_check(package: Path, command: Command) -> None:
    done = command("check-model", "my-first", "--json")
    assert done.status == 0
    assert [each["check"] for each in done.json] == [c.__name__.strip("_") for c in CHECKS]
    assert all(each["holds"] and not each["advice"] for each in done.json)


def test_a_new_model_learns(package: Path, command: Command, tiny_folder: Path) -> None:
    asked = ("run", "--model", "popularity,my-first", "--preset", "quick", "--json")
    done = command(*asked, "--dataset", tiny_folder).json
    by_model = {run["model"]: run["metrics"] for run in done}
    for task in ("rec", "search"):
        ours, popular = (by_model[n][task]["full"]["ndcg@10"] for n in ("my-first", "popularity"))
        assert ours > 2 * popular, task


def test_its_own_tests_are_those_checks(package: Path) -> None:
    compile((package / "test_my_first.py").read_text(), "test_my_first.py", "exec")
    assert "made_up_data" in (package / "test_my_first.py").read_text()


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        (("return scores if", "return scores.astype('f8') if"), "shapes"),
        (("queries):\n", "queries):\n        np.random.rand(1)\n"), "global_randomness"),
        (('{"items": self.network', '{"itms": self.network'), "save_and_load"),
        (("query_text=True, longest", "longest"), "given"),
        (("history(1).item[:, 0]", "history(2).item[:, 0]"), "given"),
        (("with torch.random.fork_rng():", "if True:"), "global_randomness"),
        (("scores if wanted is None else", "scores if True else"), "shapes"),
        (("    uses_gpu", "    uses_seed = False\n    uses_gpu"), "determinism"),
        (('{"query_words": Choice', '{"query_wrds": Choice'), "search_space"),
    ],
)
def test_what_a_model_does_not_hold_is_told_with_what_to_change(
    package: Path, command: Command, change: tuple[str, str], failed: str
) -> None:
    file = package / "src" / "my_first.py"
    text = file.read_text()
    assert text.count(change[0]) == 1
    file.write_text(text.replace(*change))
    done = command("check-model", "my-first", "--json")
    assert done.status == 1
    verdicts = {each["check"]: each for each in done.json}
    assert not verdicts[failed]["holds"]
    assert verdicts[failed]["advice"].startswith(ADVICE[failed])
    assert failed in done.err


def test_a_model_that_cannot_be_trained_is_told_once(package: Path, command: Command) -> None:
    file = package / "src" / "my_first.py"
    file.write_text(file.read_text().replace("loss.backward()", "lss.backward()"))
    done = command("check-model", "my-first")
    assert (done.status, done.out) == (2, "")
    assert "cannot be trained" in done.err and "lss" in done.err


def test_what_makes_several_checks_fail_is_told_once(package: Path, command: Command) -> None:
    file = package / "src" / "my_first.py"
    text = file.read_text()
    fault = "wanted = None if requests.candidates is None else requests.nothing() "
    file.write_text(text.replace("wanted = requests.candidates ", fault))
    done = command("check-model", "my-first")
    assert done.status == 1
    said = " ".join(done.out.partition("What to change")[2].split())
    assert said.count("'nothing'") == 1 and "the model itself raised AttributeError" in said
    assert "shapes, " in said and ADVICE["shapes"] not in said


def test_every_check_has_its_advice() -> None:
    assert [*ADVICE] == [check.__name__.strip("_") for check in CHECKS]
    assert made_up_data().digest == made_up_data().digest


@pytest.mark.parametrize("name", ["gensar", "1st", "a b", "class", "é", "../a"])
def test_names_that_cannot_be_are_refused(command: Command, tmp_path: Path, name: str) -> None:
    assert_refused(command("model", "new", name))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_is_left_alone(command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").write_text("mine")
    assert_refused(command("model", "new", "mine"))
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["notes"]


def test_a_model_that_is_not_there_is_told(command: Command) -> None:
    assert_refused(command("check-model", "bm52"))
    assert "bm25" in available()
    assert find("bm25").name == "bm25"
