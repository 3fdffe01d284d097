"""Rows of separated text that are none: told of with a count and the first line."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.formats import reader_of
from benchmark.data.sources.reader import Wanted
from benchmark.errors import InputError

READER = reader_of("table")
HEAD = "user_id,item_id,timestamp\n"


def test_rows_of_another_width_are_counted_and_left_out_and_lines_still_right(
    tmp_path: Path,
) -> None:
    text = HEAD + 'u1,"i\n1",5\nu1,i1\n\nu2,i2,6,7\nu3,i3,8\n'
    cleaning = Cleaning()
    (tmp_path / "log.csv").write_text(text, encoding="utf-8")
    source = READER.read(
        {"events": tmp_path / "log.csv"}, READER.rules(), Wanted(cleaning=cleaning)
    )
    assert source.inter.items.to_pylist() == ["i 1", "i3"]
    assert [source.inter.where(event)[1] for event in range(2)] == [2, 7]
    assert any(
        "log.csv:4: 2 fields where the header names 3 (2 of 4 rows)" in n for n in cleaning.notes
    )
    with pytest.raises(InputError, match="take 'strict' out"):
        READER.read(
            {"events": tmp_path / "log.csv"}, READER.rules(), Wanted(cleaning=Cleaning(strict=True))
        )


def test_rows_that_a_quotation_mark_swallows_are_told_of(tmp_path: Path) -> None:
    rows = [f"u{n % 3},i{n % 5},{n + 1}\n" for n in range(12)]

    def notes(text: str) -> list[str]:
        cleaning = Cleaning()
        (tmp_path / "log.csv").write_text(HEAD + text, encoding="utf-8")
        files = {"events": tmp_path / "log.csv"}
        READER.read(files, READER.rules(), Wanted(cleaning=cleaning))
        return [each for each in cleaning.notes if "quotation mark" in each]

    opened = [*rows[:2], 'u1,"i4,3\n', *rows[3:8], 'u2,i3",9\n', *rows[9:]]
    (told,) = notes("".join(opened))
    assert told.startswith("log.csv:4: ") and "(5 such lines)" in told
    prose = 'u1,"a text, of\nsome lines,\nwith, as many, commas,\nas it likes",3\n'
    assert notes("".join([*rows, prose])) == []
    assert notes("".join(rows)) == []
