"""Ids that would be the same but for what spreadsheets and libraries do to numbers."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["written_alike"]


def written_alike(wanted: str, ids: pa.Array) -> str | None:
    """Return the id that differs from ``wanted`` by zeros, a decimal point or case; if any does."""
    same = pc.equal(_bare(ids), _bare(pa.array([wanted], ids.type))[0])
    row = pc.index(same, True).as_py()
    return None if row < 0 else ids[row].as_py()


def _bare(ids: pa.Array) -> pa.Array:
    """Return ids in lower case, without zeros in front and fractions of zeros."""
    for odd, plain in ((r"^([0-9]+)\.0+$", r"\1"), (r"^0+([0-9])", r"\1")):
        ids = pc.replace_substring_regex(ids, odd, plain)
    return pc.utf8_lower(ids)
