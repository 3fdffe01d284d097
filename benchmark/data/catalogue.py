"""The item and query tables that stand beside the event log."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["Items", "Queries"]


@dataclass(frozen=True)
class Items:
    """The catalogue: one row for each item that can be ranked.

    Attributes:
        ids: the source's identifiers, ``[items]``.
        titles: what a person calls the item; its id where the source has no title.
        texts: everything textual that a model may read, title first; "" where there is none.
        fields: the source's further columns as text, ``{column: [items]}``.
    """

    ids: tuple[str, ...]
    titles: tuple[str, ...]
    texts: tuple[str, ...]
    fields: dict[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def have_texts(self) -> bool:
        """Whether any item has more than blanks in its text."""
        return any(map(str.strip, self.texts))


@dataclass(frozen=True)
class Queries:
    """The distinct queries.

    Attributes:
        ids: the source's identifiers, ``[queries]``.
        texts: the words, ``[queries]``.
        kinds: how the query came to be, ``[queries]``: ``given``, ``category`` or ``known-item``.
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    kinds: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, rows: NDArray[np.integer]) -> Queries:
        """Return the table with the text of every row that is not in ``rows`` blanked out.

        Row numbers stay, so that a training view can share them with requests without showing
        the words of queries that occur in validation or test events only.
        """
        allowed = set(rows.tolist())
        texts = tuple(t if i in allowed else "" for i, t in enumerate(self.texts))
        return replace(self, texts=texts)
