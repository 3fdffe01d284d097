"""Millions of strings as one Arrow array that is used as any other sequence of strings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TextColumn"]

_AT_ONCE = 2**16


class TextColumn(Sequence[str]):
    """Strings in an Arrow array: none is a Python object before it is asked for.

    It equals any sequence of the same strings. A slice of it is one more such column, over the
    same memory.

    Args:
        values: strings; an Arrow array of text is taken as it is, but in one piece.

    Attributes:
        array: ``large_string`` ``[n]`` without nulls.
    """

    __slots__ = ("array",)
    __hash__ = None  # type: ignore[assignment]

    array: pa.LargeStringArray

    def __init__(self, values: Iterable[str] | pa.Array | pa.ChunkedArray = ()) -> None:
        import pyarrow as pa  # here and below: models that only name the class need no Arrow

        if isinstance(values, TextColumn):
            self.array = values.array
            return
        if not isinstance(values, (pa.Array, pa.ChunkedArray)):
            values = pa.array(list(values), type=pa.large_string())
        if values.type != pa.large_string():
            values = values.cast(pa.large_string())
        if isinstance(values, pa.ChunkedArray):
            values = values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()
        if values.null_count:
            raise ValueError("a column of text holds a null")
        self.array = values

    @classmethod
    def repeated(cls, text: str, times: int) -> TextColumn:
        """Return ``times`` times the same text."""
        import pyarrow as pa

        return cls(pa.repeat(pa.scalar(text, pa.large_string()), times))

    def __len__(self) -> int:
        return len(self.array)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> TextColumn: ...
    def __getitem__(self, place: int | slice) -> str | TextColumn:
        if not isinstance(place, slice):
            text: str = self.array[int(place)].as_py()
            return text
        start, stop, step = place.indices(len(self))
        if step == 1:
            return TextColumn(self.array.slice(start, max(stop - start, 0)))
        return self.take(np.arange(start, stop, step))

    def __iter__(self) -> Iterator[str]:
        for batch in self.batches(_AT_ONCE):
            yield from batch

    def parts(self) -> Iterator[pa.LargeStringArray]:
        """Yield the strings as Arrow arrays of not too many, which share the column's memory."""
        for start in range(0, len(self), _AT_ONCE):
            yield self.array.slice(start, _AT_ONCE)

    def batches(self, size: int) -> Iterator[list[str]]:
        """Yield the strings in lists of at most ``size``."""
        for start in range(0, len(self), size):
            yield self.array.slice(start, size).to_pylist()

    def lines(self) -> Iterator[memoryview]:
        """Yield the strings as UTF-8, a line end behind each, many at a time."""
        import pyarrow as pa
        import pyarrow.compute as pc

        nothing, end = (pa.scalar(text, pa.large_string()) for text in ("", "\n"))
        for part in self.parts():
            ended = pc.binary_join_element_wise(part, nothing, end)
            _, ends, data = ended.buffers()
            yield memoryview(data)[: int(np.frombuffer(ends, np.int64)[len(part)])]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TextColumn):
            return bool(self.array.equals(other.array))
        if isinstance(other, Sequence) and not isinstance(other, (str, bytes)):
            return len(self) == len(other) and all(map(_equal, self, other))
        return NotImplemented

    def __contains__(self, text: object) -> bool:
        return self._place(text) >= 0

    def index(self, text: object, start: int = 0, stop: int | None = None) -> int:
        """Return the first place of a text.

        Raises:
            ValueError: it stands nowhere between ``start`` and ``stop``.
        """
        begin, end, _ = slice(start, stop).indices(len(self))
        place = self[begin:end]._place(text)
        if place < 0:
            raise ValueError(f"{text!r} is not in the column")
        return begin + place

    def _place(self, text: object) -> int:
        import pyarrow as pa
        import pyarrow.compute as pc

        if not isinstance(text, str):
            return -1
        try:
            place: int = pc.index(self.array, pa.scalar(text, pa.large_string())).as_py()
        except UnicodeEncodeError:  # half of a surrogate pair, which no column holds
            return -1
        return place

    def take(self, rows: NDArray[np.integer] | pa.Array) -> TextColumn:
        """Return the strings at ``rows`` (``[n]``), in that order."""
        import pyarrow as pa

        return TextColumn(self.array.take(pa.array(rows)))

    @property
    def filled(self) -> NDArray[np.bool_]:
        """Which strings are more than blanks, ``[n]``."""
        import pyarrow.compute as pc

        full = pc.greater(pc.binary_length(pc.utf8_trim_whitespace(self.array)), 0)
        return full.to_numpy(zero_copy_only=False).astype(np.bool_)

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self[:3]))
        return f"TextColumn([{shown}{', …' if len(self) > 3 else ''}], {len(self)} strings)"

    def __reduce__(self) -> tuple[Any, ...]:
        return TextColumn, (self.array,)


def _equal(one: object, two: object) -> bool:
    return one == two
