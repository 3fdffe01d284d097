"""Every model has a page whose results are those of the committed runs, and so have whole tables.

``python -m tests.test_pages`` writes the results of all pages anew.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from benchmark.cli.app import app
from benchmark.registry import available, families, find
from benchmark.results import scan
from benchmark.results.record import RunRecord
from benchmark.results.scan import scan_runs

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "models"
BOARDS = {
    "ml-100k": ["--results", "results/published", "--dataset", "ml-100k"],
    "lastfm": ["--results", "results/published", "--dataset", "lastfm"],
    "amazon-office": ["--results", "results/published", "--dataset", "amazon-office"],
    "lastfm-hypersar": ["--results", "results/published", "--dataset", "lastfm-hypersar"],
    "ml-100k-temporal": [
        *("--results", "results/published", "--dataset", "ml-100k,ml-100k-temporal", "--brief")
    ],
    "amazon-beauty": ["--results", "results/published", "--dataset", "amazon-beauty"],
    "ablations": ["--results", "results/ablations", "--brief"],
}
"""Pages in ``docs/`` that show whole leaderboards, and what of."""
REPEATED = ("speed", "ablations", "determinism")
"""Pages in ``docs/`` whose figures come of ``perf``, or of the records beside them or in it."""
SHARED = {"random": "diagnostic", "constant": "diagnostic"}
EXAMPLES = {"encoder": "encoder:minilm", "rerank": "rerank:bm25+any"}
"""A model of each family, for what its page says of all of them."""
OURS = ("baselines", "gensar")


def page_of(model: str) -> str:
    """Return the name of the page that a model is described on."""
    return model.partition(":")[0] if ":" in model else SHARED.get(model, model)


def models_on(page: str) -> list[str]:
    """Return the models of a page's tables: its own, then what to hold them against."""
    entries = [e for e in available().values() if e.source.partition(".")[0] in OURS]
    if f"{page}:" in families():
        entries.append(find(EXAMPLES[page]))
    own = [e for e in entries if page_of(e.name) == page]
    tasks = {task for entry in own for task in entry.tasks}
    usual = {"rec": "sasrec", "search": "bm25"}
    return list(dict.fromkeys([e.name for e in own] + [usual[task] for task in sorted(tasks)]))


def arguments(page: str) -> list[str]:
    file = str(PAGES / f"{page}.md")
    shown = ["--results", str(ROOT / "results" / "published"), "--brief", "--into", file]
    return ["leaderboard", "--model", _joined(page), *shown]


def board_arguments(board: str) -> list[str]:
    return ["leaderboard", *BOARDS[board], "--into", str(ROOT / "docs" / f"{board}.md")]


def _joined(page: str) -> str:
    return ",".join(models_on(page))


NAMES = sorted(
    {page_of(e.name) for e in available().values() if e.source.startswith(OURS)} | {*EXAMPLES}
)


@cache
def _read(results: Path) -> tuple[RunRecord, ...]:
    """Return the runs of a folder; pages share what they are read from."""
    return tuple(scan_runs(results, print))


def made(arguments: list[str]) -> Result:
    """Run a command on runs that are read once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr(scan, "scan_runs", lambda results, *_: _read(results.resolve()))
        return CliRunner().invoke(app, arguments)


def test_every_model_has_a_page_and_every_page_is_listed() -> None:
    files = {file.stem for file in PAGES.glob("*.md")} - {"README"}
    assert files == set(NAMES)
    assert {f"{page}:" for page in EXAMPLES} == set(families())
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[([^]]+)\]\(([^)]+)\.md\)", index, re.MULTILINE)
    assert sorted(name for name, _ in listed) == NAMES
    assert all(name == file for name, file in listed)


@pytest.mark.parametrize("file", ["README.md", "docs/*.md", "docs/models/*.md"])
def test_figures_outside_of_written_tables_are_said_to_have_no_record(file: str) -> None:
    """Metrics in prose; pages of measurements that a command of ``perf`` repeats are no results."""
    for page in sorted(ROOT.glob(file)):
        text = re.sub(
            r"<!-- leaderboard:start -->.*<!-- leaderboard:end -->",
            "",
            page.read_text(),
            flags=re.DOTALL,
        )
        metrics = re.findall(r"\b0\.\d{4}\b", text)
        said = "no record is committed" in text or page.stem in REPEATED
        assert said or not metrics, f"{page}: {metrics}"


@pytest.mark.parametrize("page", NAMES)
@pytest.mark.xdist_group("pages")
def test_the_results_of_a_page_are_those_of_the_committed_runs(page: str) -> None:
    done = made([*arguments(page), "--check"])
    assert done.exit_code == 0, done.exception


@pytest.mark.parametrize("board", sorted(BOARDS))
@pytest.mark.xdist_group("pages")
def test_a_board_is_that_of_the_committed_runs(board: str) -> None:
    done = made([*board_arguments(board), "--check"])
    assert done.exit_code == 0, done.exception


@pytest.mark.xdist_group("pages")
def test_the_picture_is_that_of_the_committed_runs(tmp_path: Path) -> None:
    drawn = tmp_path / "ml-100k.svg"
    done = made(["leaderboard", *BOARDS["ml-100k"], "--summary", "--picture", str(drawn)])
    assert done.exit_code == 0, done.exception
    assert drawn.read_bytes() == (ROOT / "docs" / "pictures" / drawn.name).read_bytes()


@pytest.mark.parametrize("page", NAMES)
def test_settings_named_on_a_page_exist(page: str) -> None:
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    table = re.search(r"^\| settings? .*?\n\n", text, re.MULTILINE | re.DOTALL)
    if not table:
        return
    known: set[str] = set()
    for name in models_on(page):
        known |= set(find(name).load().Settings.__dataclass_fields__)
    named = [line.split("|")[1] for line in table[0].splitlines()[2:] if line.startswith("|")]
    assert named
    for cell in named:
        for setting in re.findall(r"`(\w+)`", cell):
            assert setting in known, f"{page}: {setting}"


if __name__ == "__main__":
    for each in (*map(arguments, NAMES), *map(board_arguments, BOARDS)):
        if (done := made(each)).exception:
            raise done.exception
