from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.results.records import record

from .conftest import Command, Done, assert_refused

FULL = ("rec", "full")


@pytest.fixture
def board(tmp_path: Path) -> Path:
    results = tmp_path / "results"
    for model, rank in (("popularity", 2), ("mine", 0), ("random", 5)):
        record(results, model, {FULL: [rank] * 8})
    record(results, "mine", {FULL: [1] * 8}, dataset="zoo", preset="quick")
    return results


def _models(done: Done) -> list[str]:
    return [row["model"] for t in done.json["tables"][:1] for row in t["rows"]]


def test_diagnostic_models_are_left_out_unless_named(command: Command, board: Path) -> None:
    show = ["leaderboard", "--dataset", "toy", "--format", "json"]
    assert _models(command(*show)) == ["mine", "popularity"]
    assert _models(command(*show, "--model", "random,mine")) == ["mine", "random"]
    lines = command("leaderboard").out.replace("*", "").splitlines()
    assert any(line.startswith("| mine") for line in lines)
    assert not any(line.startswith("| random") for line in lines)


def test_a_leaderboard_can_be_narrowed(command: Command, board: Path) -> None:
    whole = command("leaderboard")
    assert whole.err == ""
    assert [n for n in whole.out.splitlines() if n.startswith("## ")] == ["## toy", "## zoo"]
    assert "## toy" not in command("leaderboard", "--dataset", "zoo").out
    assert "## toy" not in command("leaderboard", "--preset", "quick").out
    both = command("leaderboard", "--preset", "quick, standard").out
    assert both == whole.out
    assert_refused(command("leaderboard", "--preset", "quick,standrad"))
    assert command("leaderboard", "--dataset", "zoo", "--format", "json").json["dataset"] == "zoo"
    assert_refused(command("leaderboard", "--format", "json"))


def test_orders_of_data_sets_shown_together_are_compared(command: Command, tmp_path: Path) -> None:
    results = tmp_path / "results"
    for rank, model in enumerate(("a", "b", "c", "d", "e", "f")):
        for seed in (1, 2):
            record(results, model, {FULL: [rank] * 8}, seed=seed)
            record(results, model, {FULL: [6 - rank] * 8}, dataset="zoo", seed=seed)
    assert "Kendall" not in command("leaderboard", "--dataset", "zoo").out
    shown = command("leaderboard", "--dataset", "zoo, toy").out
    (line,) = [line for line in shown.splitlines() if line.startswith("| toy, recommendation")]
    assert [cell.strip() for cell in line.split("|")][2:4] == ["6", "-1.00"]
    assert_refused(command("leaderboard", "--dataset", "zoo,tyo"))
    for format_ in ("html", "latex"):
        whole = command("leaderboard", "--format", format_).out
        assert "Kendall" in whole


def test_a_damaged_run_is_told_and_not_averaged_in(command: Command, board: Path) -> None:
    show = ["leaderboard", "--dataset", "toy", "--format", "json"]
    bad = record(board, "mine", {FULL: [9] * 8}, seed=2)
    before = command(*show)
    assert before.json["tables"][0]["rows"][0]["seeds"] == 2
    (bad.folder / "requests.parquet").write_bytes(b"PAR1")
    after = command(*show)
    assert (after.status, after.json["tables"][0]["rows"][0]["seeds"]) == (0, 1)
    assert after.json["tables"][0]["rows"][0]["mean"] == 1.0
    assert after.err.count("\n") == 1
    assert str(bad.folder.relative_to(board.parent)) in after.err


@pytest.mark.parametrize("format_", ["md", "json", "latex", "html"])
def test_a_leaderboard_is_written_and_checked(
    command: Command, board: Path, tmp_path: Path, format_: str
) -> None:
    show = ["leaderboard", "--dataset", "toy", "--format", format_]
    wanted = command(*show).out
    out = tmp_path / "board"
    missing = command(*show, "--out", out, "--check")
    assert (missing.status, out.exists()) == (1, False)
    done = command(*show, "--out", out)
    assert (done.status, done.out, done.err) == (0, "", "")
    assert out.read_text(encoding="utf-8") == wanted
    assert command(*show, "--out", out, "--check").status == 0
    out.write_bytes(wanted.encode() + b"\xff")
    stale = command(*show, "--out", out, "--check")
    assert (stale.status, stale.out) == (1, "")
    assert "stale" in stale.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["board", "results"]


AROUND = "# Title\n\n<!-- leaderboard:start -->\n{}<!-- leaderboard:end -->\n\nMore: é\n"


def test_a_leaderboard_is_written_between_markers(
    command: Command, board: Path, tmp_path: Path
) -> None:
    file = tmp_path / "README.md"
    file.write_text(AROUND.format("old\n"), encoding="utf-8")
    show = ["leaderboard", "--dataset", "toy"]
    assert command(*show, "--into", file, "--check").status == 1
    assert file.read_text(encoding="utf-8") == AROUND.format("old\n")
    assert command(*show, "--into", file).status == 0
    deeper = re.sub("^#", "##", command(*show).out, flags=re.MULTILINE)
    assert file.read_text(encoding="utf-8") == AROUND.format(deeper)
    assert command(*show, "--into", file, "--check").status == 0
    record(tmp_path / "results", "mine", {FULL: [9] * 8}, seed=3)
    assert command(*show, "--into", file, "--check").status == 1


def test_files_that_cannot_take_a_leaderboard_are_refused(
    command: Command, board: Path, tmp_path: Path
) -> None:
    whole = AROUND.format("")
    for name, text in {
        "none": b"no markers",
        "half": whole.partition("<!-- leaderboard:end")[0].encode(),
        "twice": (whole + whole).encode(),
        "turned": b"<!-- leaderboard:end --> <!-- leaderboard:start -->",
        "latin": b"\xe9" + whole.encode(),
    }.items():
        file = tmp_path / name
        file.write_bytes(text)
        assert_refused(command("leaderboard", "--into", file))
        assert file.read_bytes() == text
    assert_refused(command("leaderboard", "--into", tmp_path / "nowhere"))
    (tmp_path / "good").write_text(whole, encoding="utf-8")
    assert_refused(command("leaderboard", "--into", "good", "--out", "other"))
    assert_refused(command("leaderboard", "--into", "good", "--format", "json", "--dataset", "toy"))
    assert_refused(command("leaderboard", "--check"))


def test_brief_shows_the_tables_over_the_whole_catalogue_only(popularity: Command, command) -> None:
    popularity()
    whole, brief = command("leaderboard").out, command("leaderboard", "--brief").out
    titles = [line for line in brief.splitlines() if line.startswith("###")]
    assert [title.partition(" (")[0] for title in titles] == [
        "### Recommendation, whole catalogue",
        "### Search, whole catalogue",
        "### What each model is given",
        "### Trade-off: NDCG@10",
    ]
    assert "target among" in whole
    rows = [line for line in brief.splitlines() if line.startswith("| **popularity")]
    assert len(rows) == 2  # the trade-off names it without bold
    assert all(row in whole for row in rows)
    assert_refused(command("leaderboard", "--brief", "--format", "json"))


def test_the_summary_is_the_answer_and_the_telling_rows(command: Command, board: Path) -> None:
    shown = command("leaderboard", "--dataset", "toy", "--summary").out
    assert "**Recommendation**: mine is best" in shown
    assert shown.count("### ") == 1
    for wrong in (["--brief"], ["--model", "mine"], ["--format", "html"]):
        assert_refused(command("leaderboard", "--summary", *wrong))
    narrowed = command("leaderboard", "--dataset", "toy", "--model", "popularity").out
    assert "**Recommendation**" not in narrowed


@pytest.mark.parametrize(("ending", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_a_picture_is_drawn_and_is_the_same_again(
    command: Command, board: Path, tmp_path: Path, ending: str, begins: bytes
) -> None:
    file = tmp_path / f"board.{ending}"
    for _ in range(2):
        command("leaderboard", "--dataset", "toy", "--picture", str(file))
        drawn = file.read_bytes()
        assert drawn.startswith(begins)
    command("leaderboard", "--dataset", "toy", "--picture", str(file))
    assert file.read_bytes() == drawn
    if ending == "svg":
        assert b">popularity<" in drawn


def test_what_cannot_be_drawn_into_is_refused(command: Command, board: Path) -> None:
    for wrong in ("board.jpg", "no-folder/board.svg"):
        assert_refused(command("leaderboard", "--picture", wrong))
    for wrong in (["--out", "a.md", "--check"], ["--preset", "thorough"]):
        assert_refused(command("leaderboard", "--picture", "a.svg", *wrong))
    assert not (board.parent / "a.svg").exists()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for room in ("leaderboard", "output"):
        monkeypatch.setattr(f"benchmark.cli.{room}.terminal_width", lambda: 80)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("more", [[], ["--summary"], ["--brief"]])
def test_a_terminal_gets_tables_that_fit_it_and_files_get_markdown(
    command: Command, board: Path, more: list[str]
) -> None:
    shown = command("leaderboard", *more)
    assert shown.status == 0 and "| " not in shown.out and "**" not in shown.out
    assert all(len(line) <= 80 for line in shown.out.splitlines())
    assert re.search(r"│ mine (. )?\* +│ .* a \* ", shown.out)
    if "--summary" not in more:
        assert "\n- * is whatever cannot be told from the best." in shown.out
    assert command("leaderboard", *more, "--format", "md").out.startswith("## toy")
    assert command("leaderboard", *more, "--out", "board.md").out == ""
    assert Path("board.md").read_text().startswith("## toy")


@pytest.mark.usefixtures("terminal")
def test_a_terminal_without_runs_is_told_so(command: Command, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    assert command("leaderboard").out == "No runs yet.\n"


def test_a_table_is_for_terminals_only(command: Command, board: Path) -> None:
    assert "│ mine † *" in command("leaderboard", "--format", "table").out
    assert_refused(command("leaderboard", "--format", "table", "--out", "board.txt"))
    assert_refused(command("leaderboard", "--format", "table", "--into", "board.txt"))


@pytest.mark.usefixtures("terminal")
def test_a_part_of_the_models_has_no_answer_and_says_so(command: Command, board: Path) -> None:
    assert "is best, with NDCG@10" in command("leaderboard", "--dataset", "toy").out
    some = command("leaderboard", "--dataset", "toy", "--model", "mine").out
    assert "No answer in words" in some and "is best, with" not in some


def test_links_are_for_the_page(command: Command, board: Path) -> None:
    assert_refused(command("leaderboard", "--pages", "models"))
    shown = command("leaderboard", "--format", "html", "--pages", "models").out
    assert 'href="models/popularity.html"' in shown


def test_only_the_runs_of_the_named_data_set_are_read(command: Command, board: Path) -> None:
    whole = command("leaderboard", "--dataset", "toy").out
    for file in (board / "runs" / "zoo").glob("*/*/run.json"):
        file.write_text("nonsense")
    shown = command("leaderboard", "--dataset", "toy")
    assert (shown.out, shown.err) == (whole, "")
    assert "left out" in command("leaderboard").err
    unknown = command("leaderboard", "--dataset", "toy,zo")
    assert unknown.status == 2 and "no run on 'zo'" in unknown.err


def test_nothing_is_written_where_a_part_cannot_be(command: Command, board: Path) -> None:
    several = ["--format", "json", "--out", "board.json"]
    assert_refused(command("leaderboard", "--picture", "board.svg", *several))
    Path("README.md").write_text("no markers\n")
    assert_refused(command("leaderboard", "--picture", "board.svg", "--into", "README.md"))
    assert not Path("board.svg").exists() and not Path("board.json").exists()
    both = ["--dataset", "toy", "--picture", "board.svg", "--out", "board.md"]
    assert command("leaderboard", *both).status == 0
    assert Path("board.svg").exists() and Path("board.md").exists()
