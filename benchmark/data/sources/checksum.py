"""One quick look at the bytes of a source file: its checksum, and whether something smells."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.data.sources.diagnose import LONGEST_LINE, complain, open_file

__all__ = ["Scan", "scan"]

_BLOCK = 2**20
"""Bytes looked at together, as many as a processor's cache holds."""
_LINE_FEED = ord("\n")


@dataclass(frozen=True)
class Scan:
    """What the bytes tell.

    Attributes:
        sha256: of the whole file, in hex.
        suspicious: there is a NUL byte, a carriage return inside a line, or an overlong line.
        quotes: there is a quotation mark.
        hexadecimal: there is what hexadecimal numbers begin with, ``0x``.
    """

    sha256: str
    suspicious: bool
    quotes: bool
    hexadecimal: bool


def scan(path: Path) -> Scan:
    """Hash a file and look for NUL bytes, lone carriage returns and lines that are too long.

    Raises:
        InputError: the file is missing, unreadable, no regular file, or empty.
    """
    digest = hashlib.sha256()
    size, run, nul, returns, pairs, long_line, last = 0, 0, False, 0, 0, False, b""
    quotes, hexadecimal = False, False
    with open_file(path) as file:
        while chunk := file.read(_BLOCK):
            digest.update(chunk)
            size += len(chunk)
            nul = nul or b"\0" in chunk
            quotes = quotes or b'"' in chunk
            ends = last + chunk[:1]
            hexadecimal = hexadecimal or _has_hexadecimal(last + chunk)
            if b"\r" in chunk or last == b"\r":
                returns += chunk.count(b"\r")
                pairs += chunk.count(b"\r\n") + (ends == b"\r\n")
            last = chunk[-1:]
            breaks = np.flatnonzero(np.frombuffer(chunk, dtype=np.uint8) == _LINE_FEED)
            if len(breaks):
                inside = int(np.diff(breaks).max()) if len(breaks) > 1 else 0
                long_line = long_line or max(run + int(breaks[0]), inside) > LONGEST_LINE
                run = len(chunk) - int(breaks[-1]) - 1
            else:
                run += len(chunk)
            long_line = long_line or run > LONGEST_LINE
    if size == 0:
        raise complain(path, None, "the file is empty; its first line must name the fields")
    return Scan(digest.hexdigest(), nul or long_line or returns != pairs, quotes, hexadecimal)


def _has_hexadecimal(text: bytes) -> bool:
    """Return whether ``0x`` or ``0X`` occurs, told by the few x's and not by the many zeros."""
    if b"x" not in text and b"X" not in text:
        return False
    codes = np.frombuffer(text, dtype=np.uint8)
    return bool(((codes[:-1] == ord("0")) & ((codes[1:] | 0x20) == ord("x"))).any())
