"""Files sealed with the SHA-256 of their content: whatever is not as it was written is noticed.

The seal stands in front, as the line ``{"sha256": "…"}``. Of a JSON object it is the first member
instead, so that the file is JSON still. It covers the content and the name of its owner: what
another run has written counts as damaged too.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

from benchmark.bounded_json import read_bounded
from benchmark.errors import BenchmarkError, InputError
from benchmark.files import writing

__all__ = ["DamagedError", "read_sealed", "write_sealed"]

_SEAL = re.compile(rb'\{"sha256": "([0-9a-f]{64})"(,|\}\n)')
_OBJECT = b"{"


class DamagedError(BenchmarkError):
    """A stored file is not what was written.

    Args:
        file: which one.
        reason: how that is known.
    """

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file}: damaged, {reason}; delete it to start over")


def write_sealed(file: Path, content: bytes | memoryview, owner: str) -> None:
    """Write a file with its seal, whole or not at all.

    Args:
        file: is replaced where it is there.
        content: bytes of any form.
        owner: names what it belongs to, as the run.

    Raises:
        InputError: it cannot be written.
    """
    seal = b'{"sha256": "%s"' % _checksum(content, owner)
    with writing(file) as unfinished, unfinished.open("wb") as stream:
        if content[:1] == _OBJECT:
            stream.write(seal + b",")
            stream.write(content[1:])
        else:
            stream.write(seal + b"}\n")
            stream.write(content)


def read_sealed(file: Path, owner: str, longest: int = 2**40) -> bytes:
    """Return what :func:`write_sealed` was given for the same owner.

    Args:
        file: the file.
        owner: whom it should belong to.
        longest: bytes that it may have.

    Raises:
        DamagedError: the content is another, or another's.
        InputError: the file cannot be read.
    """
    try:
        whole = read_bounded(file, longest)
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DamagedError(file, f"as {error}") from error
    seal = _SEAL.match(whole)
    if seal is None:
        raise DamagedError(file, "or of another version: no checksum stands in front")
    content = (_OBJECT if seal[2] == b"," else b"") + whole[seal.end() :]
    if seal[1] != _checksum(content, owner):
        raise DamagedError(file, "or of another run: it differs from its checksum")
    return content


def _checksum(content: bytes | memoryview, owner: str) -> bytes:
    total = sha256(f"{owner}\0".encode())
    total.update(content)
    return total.hexdigest().encode()
