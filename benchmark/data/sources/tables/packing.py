"""Opening a file of text, whether gzip has packed it or not."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from benchmark.data.sources.diagnose import complain, open_file

__all__ = ["SEPARATORS", "opened"]

SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "pipes"}
"""What may stand between fields and is recognised by itself."""
_GZIP = b"\x1f\x8b"


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, unpacked if gzip has packed it; whatever fails inside is told in one line.

    Raises:
        InputError: it is no regular file, cannot be read, or is cut short.
    """
    with open_file(path) as file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        if not packed:
            yield file
            return
        try:
            with gzip.GzipFile(fileobj=file) as inner:
                yield cast(BinaryIO, inner)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            text = f"its packing by gzip is damaged or cut short ({error})"
            raise complain(path, None, text) from None
