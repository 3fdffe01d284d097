"""The item and query tables that stand beside the event log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data.text_column import TextColumn

__all__ = ["Items", "Queries"]


@dataclass(frozen=True)
class Items:
    """The catalogue: one row for each item that can be ranked.

    Whatever sequences it is made of, it keeps each as a
    :class:`~benchmark.data.text_column.TextColumn`.

    Attributes:
        ids: the source's identifiers, ``[items]``.
        titles: what a person calls the item; its id where the source has no title.
        texts: everything textual that a model may read, title first; "" where there is none.
        fields: the columns that the card names, as text, ``{column: [items]}``.
    """

    ids: Sequence[str]
    titles: Sequence[str]
    texts: Sequence[str]
    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _keep_columns(self)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def have_texts(self) -> bool:
        """Whether any item has more than blanks in its text."""
        return bool(TextColumn(self.texts).filled.any())


@dataclass(frozen=True)
class Queries:
    """The distinct queries, kept as :class:`Items` are.

    Attributes:
        ids: the source's identifiers, ``[queries]``.
        texts: the words, ``[queries]``.
        kinds: how the query came to be, ``[queries]``: ``given``, ``category`` or ``known-item``.
    """

    ids: Sequence[str]
    texts: Sequence[str]
    kinds: Sequence[str]

    def __post_init__(self) -> None:
        _keep_columns(self)

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, rows: NDArray[np.integer]) -> Queries:
        """Return the table with the text of every row that is not in ``rows`` blanked out.

        Row numbers stay, so that a training view can share them with requests without showing
        the words of queries that occur in validation or test events only.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        allowed = np.zeros(len(self), dtype=np.bool_)
        allowed[rows] = True
        texts = TextColumn(self.texts).array
        return replace(self, texts=TextColumn(pc.if_else(pa.array(allowed), texts, "")))


def _keep_columns(table: Any) -> None:
    lengths: set[int] = set()
    for each in fields(table):
        value = getattr(table, each.name)
        kept = (
            {name: TextColumn(column) for name, column in value.items()}
            if isinstance(value, Mapping)
            else TextColumn(value)
        )
        object.__setattr__(table, each.name, kept)
        lengths |= {len(c) for c in (kept.values() if isinstance(kept, dict) else (kept,))}
    if len(lengths) > 1:
        raise ValueError(f"columns of one table have the lengths {sorted(lengths)}")
