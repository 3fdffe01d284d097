"""A data set of frames: the same rules as for files of tables, and a card made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from benchmark.data.card import Card
from benchmark.data.card_faults import faults
from benchmark.data.prepare import prepare_source
from benchmark.data.prepared import Prepared
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.reader import Wanted
from benchmark.data.sources.source import Interactions, Source, Texts
from benchmark.data.sources.tables.frames import frame_table
from benchmark.data.sources.tables.reader import read_tables
from benchmark.errors import InputError

__all__ = ["prepare_frames"]


def prepare_frames(
    frames: Mapping[str, Any], rules: Mapping[str, Any]
) -> tuple[Card, Prepared, str]:
    """Return a card for frames, what is prepared of them, and a digest of what they hold.

    Args:
        frames: ``events``, and where there are any ``items`` and ``queries``.
        rules: of the table, and fields of the card, by name.

    Raises:
        InputError: an unknown rule, or anything wrong with a frame.
    """
    card = _card(frames, rules)
    tables = {what: frame_table(frame, what) for what, frame in frames.items()}
    cleaning = Cleaning(card.strict)
    wanted = Wanted(card.item_columns(), None, cleaning)
    source = read_tables(tables, card.rules, wanted)  # type: ignore[arg-type]
    return card, prepare_source(card, source, cleaning), _content(source)


def _card(frames: Mapping[str, Any], rules: Mapping[str, Any]) -> Card:
    kind = Card.of_format("table")
    fixed = ("format", "files", "location", "rules", "grade", "queries")
    own = {name for name in Card.model_fields if name not in fixed}
    values: dict[str, Any] = {
        "name": "frames",
        "description": "Tables in memory.",
        "source": "memory",
        "licence": "unknown",
        "citation": "",
        **{name: value for name, value in rules.items() if name in own},
        "format": "table",
        "files": {what: {"name": what} for what in frames},
        "rules": {name: value for name, value in rules.items() if name not in own},
    }
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise InputError(f"from_frames{faults(error, kind, {})}") from None


def _content(source: Source) -> str:
    """Return the SHA-256 (hex) over events and texts."""
    digest = hashlib.sha256()
    for field in fields(Interactions):
        values = getattr(source.inter, field.name)
        if isinstance(values, np.ndarray):
            digest.update(f"{field.name} {values.dtype} {values.shape}\n".encode())
            digest.update(values.astype(values.dtype.newbyteorder("<")).tobytes())
        elif isinstance(values, pa.Array):
            _add(digest, field.name, values)
    for what, texts in (("item", source.items), ("query", source.queries or Texts(_NONE, {}))):
        _add(digest, what, texts.ids)
        for name in sorted(texts.columns):
            _add(digest, f"{what} {name}", texts.columns[name])
    return digest.hexdigest()


_NONE = pa.array([], pa.large_string())


def _add(digest: Any, name: str, texts: pa.Array) -> None:
    digest.update(f"{name} {len(texts)}\n".encode())
    digest.update(pc.binary_length(texts).cast(pa.int64()).to_numpy().astype("<i8").tobytes())
    for start in range(0, len(texts), 2**16):
        digest.update("".join(texts.slice(start, 2**16).to_pylist()).encode())
