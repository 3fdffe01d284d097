"""What an item is called and what there is to read of it: columns put together as a card says."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from benchmark.data.card import Card
from benchmark.data.catalogue import Items
from benchmark.data.sources.source import Texts
from benchmark.data.text_column import TextColumn

__all__ = ["catalogue_of"]

_TEXT = pa.large_string()
_NOTHING = pa.scalar("", _TEXT)
_BLANK = pa.scalar(" ", _TEXT)


def catalogue_of(card: Card, texts: Texts) -> Items:
    """Return the catalogue.

    Args:
        card: has the template of titles, and says which columns a model may read.
        texts: of the items, with the columns that the card names.
    """
    ids = texts.ids.cast(_TEXT)
    columns = {name: values.cast(_TEXT) for name, values in texts.columns.items()}
    titles = _titles(card, ids, columns)
    parts = [columns[name] for name in card.text]
    if names := card.title_columns():
        has = pc.greater(pc.binary_length(_joined([columns[name] for name in names], "")), 0)
        parts.insert(0, pc.if_else(has, titles, _NOTHING))
    full = _without_gaps(parts) if parts else TextColumn.repeated("", len(ids)).array
    fields = {name: TextColumn(values) for name, values in columns.items()}
    return Items(TextColumn(ids), TextColumn(titles), TextColumn(full), fields)


def _titles(card: Card, ids: pa.Array, columns: dict[str, pa.Array]) -> pa.Array:
    """Return the template filled in, and the id where that leaves nothing."""
    if not card.title:
        return ids
    pieces = re.split(r"\{([^{}]+)\}", card.title)  # text and names of columns take turns
    filled = _joined(
        [columns[piece] if odd % 2 else piece for odd, piece in enumerate(pieces)], "", len(ids)
    )
    titles = pc.utf8_trim_whitespace(filled)
    return pc.if_else(pc.equal(titles, _NOTHING), ids, titles)


def _joined(parts: list[pa.Array | str], between: str, rows: int = 0) -> pa.Array:
    """Return the parts of each row in one text; a string stands in every row."""
    if all(isinstance(part, str) for part in parts):
        return TextColumn.repeated(between.join(map(str, parts)), rows).array
    scalars = [pa.scalar(part, _TEXT) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*scalars, pa.scalar(between, _TEXT))


def _without_gaps(parts: list[pa.Array]) -> pa.Array:
    """Return the parts of each row with a blank between those that are not empty."""
    whole, *others = parts
    for part in others:
        lone = pc.or_(pc.equal(whole, _NOTHING), pc.equal(part, _NOTHING))
        whole = pc.binary_join_element_wise(
            whole, pc.if_else(lone, _NOTHING, _BLANK), part, _NOTHING
        )
    return whole
