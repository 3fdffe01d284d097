from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from benchmark.data.card import Card, SourceFile
from benchmark.data.catalogue_texts import catalogue_of
from benchmark.data.sources.source import Texts

COLUMNS = ("title", "brand", "year")
cells = st.text("ab \t", max_size=3)
rows = st.lists(st.tuples(*[cells] * len(COLUMNS)), max_size=6)
templates = st.sampled_from([None, "{title}", "{title} by {brand}", "x", " {year}{year} "])
text_columns = st.lists(st.sampled_from(COLUMNS), max_size=4).map(tuple)


def one_item(card: Card, own: str, cells: dict[str, str]) -> tuple[str, str]:
    """Return title and text of an item, put together one cell after the other."""
    title = card.title or ""
    for name, cell in cells.items():
        title = title.replace("{" + name + "}", cell)
    title = title.strip() or own
    known = any(cells[name] for name in card.title_columns())
    further = " ".join(filter(None, (cells[name] for name in card.text)))
    return title, " ".join(filter(None, (title if known else "", further)))


@given(rows, templates, text_columns)
def test_titles_and_texts_are_those_of_one_item_after_the_other(
    table: list[tuple[str, ...]], title: str | None, text: tuple[str, ...]
) -> None:
    about = dict.fromkeys(("description", "source", "licence", "citation"), "x")
    files = {"inter": SourceFile(name="a.inter")}
    card = Card(name="a", files=files, title=title, text=text, **about)
    ids = [f"i{row}" for row in range(len(table))]
    columns = {
        name: pa.array([row[at] for row in table], pa.large_string())
        for at, name in enumerate(COLUMNS)
    }
    items = catalogue_of(card, Texts(pa.array(ids, pa.string()), columns))
    expected = [
        one_item(card, own, dict(zip(COLUMNS, row, strict=True)))
        for own, row in zip(ids, table, strict=True)
    ]
    assert items.ids == ids
    assert list(zip(items.titles, items.texts, strict=True)) == expected
