"""Files that are broken in the ways that files break."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import strategies as st

from benchmark.data.load import load_dataset
from benchmark.errors import InputError

__all__ = ["BREAKAGES", "broken", "one_line", "refused"]

BREAKAGES = st.tuples(
    st.sampled_from(["cut", "flip", "insert", "repeat", "swap"]),
    st.floats(0, 1),
    st.sampled_from(
        [b"\0", b"\xff\xfe", b"\n", b"\t", b"[", b"{'", b'"', b"_", b"(" * 3000, b"\x18"]
    ),
)
"""A way, a place from start to end, and what is put there."""


def broken(path: Path, how: tuple[str, float, bytes], packed: bool) -> None:
    """Break a file; with ``packed`` what gzip wrote, else what it holds."""
    raw = path.read_bytes()
    zipped = raw[:2] == b"\x1f\x8b"
    data = gzip.decompress(raw) if zipped and not packed else raw
    way, share, piece = how
    at = int(share * len(data))
    if way == "cut":
        data = data[:at]
    elif way == "flip" and at < len(data):
        data = data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]
    elif way == "insert":
        data = data[:at] + piece + data[at:]
    elif way == "repeat":
        data = data[:at] + data[at : at + 200] * 3 + data[at:]
    elif way == "swap":
        data = data.replace(b", " if at % 2 else b"\t", b";")
    path.write_bytes(gzip.compress(data, 1) if zipped and not packed else data)


def one_line(error: BaseException, *names: str) -> bool:
    """Return whether an error is one short line that names one of the files."""
    text = str(error)
    return "\n" not in text and len(text) < 500 and any(name in text for name in names)


def refused(folder: Path, message: str) -> None:
    """Check that a folder is refused in one line that matches, and nothing is left behind."""
    cache = folder / "cache"
    with pytest.raises(InputError, match=message) as caught:
        load_dataset(folder, cache=cache)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(folder))
    assert not list((cache / "data").rglob("*"))
