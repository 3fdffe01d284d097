"""Tables in terminals of any width: what must be read or copied is never cut."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.table import Table

from benchmark.cli.tables import drawn
from tests.hostile import NAMED, control_characters, spaces

from .conftest import Command

PATH = "results/runs/a folder with blanks/popularity/standard-s1-0123456789ab"
PROSE = "words that stand in no order, but are many, and so may be folded where it is narrow"
FIGURES = ("0.1234", "-0.0123 to +0.0456", "1,234,567", "12/3456/7")
WORDS = st.text(st.sampled_from("ab 電é-"), min_size=1, max_size=60)


def table(rows: int = 2) -> Table:
    made = Table("model", *(f"f{n}" for n in range(len(FIGURES))), "about", title="On figures")
    made.add_column("record", no_wrap=True)
    for row in range(rows):
        made.add_row(f"m{row}", *FIGURES, PROSE, f"{PATH}{row}")
    return made


@pytest.mark.parametrize("width", [None, 200, 170, 120, 80, 40, 30])
def test_figures_and_paths_stay_whole(width: int | None) -> None:
    shown = drawn(table(), width)
    for text in (*FIGURES, f"{PATH}0", f"{PATH}1", "On figures"):
        assert text in shown
    assert "…" not in shown
    assert shown.count("words") == 2
    assert spaces(shown.replace("│", " ")).count("narrow") == 2


@pytest.mark.parametrize("width", [120, 80, 40])
def test_lines_fit_but_for_what_is_copied_as_a_whole(width: int) -> None:
    for line in drawn(table(), width).splitlines():
        assert cell_len(line) <= width or line.startswith(PATH) or line.startswith("record: ")


def test_a_path_that_does_not_fit_has_a_line_of_its_own() -> None:
    assert f"\n{PATH}0\n" in drawn(table(), 60)


def test_a_column_may_be_empty() -> None:
    made = Table("name", "")
    made.add_row(PATH * 2, "")
    assert f"{PATH * 2}\n" in drawn(made, 40)


def test_prose_is_folded_before_the_table_is_given_up() -> None:
    made = Table("name", "about")
    made.add_row("x", PROSE)
    shown = drawn(made, 60)
    assert "│ x    │" in shown
    assert all(len(line) <= 60 for line in shown.splitlines())


def test_pairs_without_headers_are_lines() -> None:
    made = Table("", "", show_header=False)
    made.add_row("digest", "a" * 64)
    made.add_row("users", "3")
    assert drawn(made, 40) == f"digest:\n{'a' * 64}\nusers: 3\n\n"


@pytest.mark.parametrize("width", [None, 80, 40])
def test_hostile_cells_are_shown(width: int | None) -> None:
    made = Table("name", "text", title=NAMED["link"])
    for name, text in NAMED.items():
        made.add_row(name, text)
    assert control_characters(drawn(made, width)) == []


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=5), st.integers(10, 200))
@example([("aaaa電電", "a" * 11 + "電電電電", "a" * 24 + "電電電 ")], 67)
@example([("a" * 24 + "電電電 aaaa", "a", "a")], 44)
@example([(" " * 40 + "a" * 24, "a", "a")], 40)
def test_no_word_is_lost_or_cut(rows: list[tuple[str, ...]], width: int) -> None:
    made = Table("one", "two", "three")
    for row in rows:
        made.add_row(*row)
    shown = drawn(made, width)
    for word in {word for row in rows for cell in row for word in cell.split()}:
        assert word in shown


def test_the_record_of_a_run_can_be_copied_in_a_narrow_terminal(
    popularity: Command, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.cli.output.terminal_width", lambda: 80)
    done = popularity("--results", "r" * 60)
    (line,) = (line for line in done.out.splitlines() if line.startswith("r" * 60))
    assert command("compare", line, line, "--examples", 0).status == 0


def test_what_is_too_wide_goes_on_below_beside_what_tells_the_rows_apart() -> None:
    made = Table("task", "metric", *(f"value {n}" for n in range(8)))
    for task in ("rec", "search"):
        for metric in ("ndcg@10", "hr@10"):
            made.add_row(task, metric, *(f"{task[0]}{metric[0]}{n}.1234" for n in range(8)))
    lines = drawn(made, 80).splitlines()
    assert all(cell_len(line) <= 80 for line in lines)
    heads = [line for line in lines if "metric" in line]
    assert len(heads) > 1
    assert all(line.split("┃")[1].strip() == "task" for line in heads)
    for n in range(8):
        row = next(line for line in lines if f"sh{n}.1234" in line)
        assert [cell.strip() for cell in row.split("│")[1:3]] == ["search", "hr@10"]


def test_one_row_is_told_in_lines() -> None:
    made = Table("one", "two")
    made.add_row("1" * 30, "2" * 30)
    assert drawn(made, 50) == f"one: {'1' * 30}\ntwo: {'2' * 30}\n\n"


def test_rows_that_are_alike_are_a_table_like_others() -> None:
    made = Table("one", "two")
    for _ in range(2):
        made.add_row("a", "b")
    assert drawn(made, 40).count("│ a   │ b   │") == 2
    made.add_row("a" * 30, "b" * 30)
    made.add_row("a" * 30, "b" * 30)
    assert f"one: {'a' * 30}\n" in drawn(made, 40)
