"""Files that are not what they are taken for: what they are, told by their bytes, and the mend.

Nothing of a file is quoted here, as it may be any file at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["HEAD", "foreign_text", "is_json", "recognise", "separator"]

HEAD = 4096
"""Bytes of a file's beginning that :func:`recognise` wants."""

_PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!\x1a\x07": "RAR",
    b"\x1f\x9d": "compress",
}
_FORMATS = {
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow or Feather file",
    b"FEA1": "a Feather file",
    b"ORC": "an ORC file",
    b"Obj\x01": "an Avro file",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array",
    b"SQLite format 3\0": "an SQLite database",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an Excel or other Office file",
    b"%PDF-": "a PDF",
    b"RDX": "an R data file",
    b"\x80\x02": "a Python pickle",
    b"\x80\x03": "a Python pickle",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
}
_POINTERS = {
    b"version https://git-lfs": "a pointer of Git LFS, not the file; fetch it (git lfs pull)",
    b"/annex/objects/": "a pointer of git-annex, not the file; fetch it (git annex get)",
}
_MARKUP = (b"<!doctype", b"<html", b"<head", b"<body", b"<?xml", b"<svg")
_UNICODE = {
    "UTF-32": (b"\xff\xfe\0\0", b"\0\0\xfe\xff"),
    "UTF-16": (b"\xff\xfe", b"\xfe\xff"),
}
_SEPARATORS = {
    "tabs": "\t",
    "commas": ",",
    "semicolons": ";",
    "pipes": "|",
    "double colons": "::",
    "the characters \\t": "\\t",
    "the byte 0x01": "\x01",
    "blanks": " ",
}
_HIGH = re.compile(rb"[\x80-\xff]")
_JSON = re.compile(r'\s*(\{\s*"|\[\s*[\[{"\d])')


def recognise(head: bytes, wanted: str) -> str | None:
    """Return what a file is, if it is packed, binary, a web page or not UTF-8, and the mend.

    Args:
        head: its first :data:`HEAD` bytes.
        wanted: what it should be, as in ``"text with fields separated by tabs"``.
    """
    for magic, name in _PACKED.items():
        if head.startswith(magic):
            return f"the file is packed by {name}; unpack it"
    if head[257:262] == b"ustar":
        return "the file is a tar archive; unpack it"
    save = f"save it as {wanted}, in UTF-8"
    if head.startswith(b"PK\x03\x04"):
        return _zip(head, save)
    for magic, name in _FORMATS.items():
        if head.startswith(magic):
            return f"the file is {name}; {save}"
    for start, what in _POINTERS.items():
        if head.startswith(start):
            return f"the file is {what}"
    if (unicode := _unicode(head)) is not None:
        return f"the file is {unicode}; save it as UTF-8"
    if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:20].lower().startswith(_MARKUP):
        return f"the file is a web page or XML; {save} (a download may have failed)"
    return None


def separator(line: str, wanted: str, is_row: Callable[[list[str]], bool]) -> str | None:
    """Return how a line's fields are separated and the mend, if not as wanted.

    Args:
        line: a line of the file.
        wanted: the separator that it should have, as in ``"tabs"``.
        is_row: says of the parts of a line whether they are what stands in it.
    """
    for name, mark in _SEPARATORS.items():
        parts = line.split() if mark == " " else line.split(mark)
        parts = [part.strip().strip('"').strip() for part in parts]
        if name != wanted and len(parts) > 1 and is_row(parts):
            return f"the fields are separated by {name}; they must be by {wanted}, so save it anew"
    return None


def foreign_text(raw: bytes) -> str:
    """Return which encoding a line that is not UTF-8 may have, and the mend."""
    words = [(len(_HIGH.findall(word)), len(word)) for word in re.split(rb"[\s,;|]+", raw)]
    dense = any(high > 1 and high * 2 > length for high, length in words)
    kinds = "GBK, Big5, Shift-JIS or another" if dense else "Latin-1 or Windows-1252"
    return f"not UTF-8 (perhaps {kinds}); save the file as UTF-8"


def is_json(line: str) -> bool:
    """Return whether a line begins like JSON."""
    return _JSON.match(line) is not None


def _zip(head: bytes, save: str) -> str:
    if b"[Content_Types].xml" in head or b"xl/" in head or b"_rels/" in head:
        return f"the file is an Excel workbook or other Office file; {save}"
    if b"vnd.oasis.opendocument" in head:
        return f"the file is an OpenDocument file; {save}"
    return "the file is packed by zip; unpack it"


def _unicode(head: bytes) -> str | None:
    for name, marks in _UNICODE.items():
        if head.startswith(marks):
            return name
    start = head[:64]
    if len(start) < 8:
        return None
    empty = sum(start[place::4].count(b"\0") * 8 > len(start) for place in range(4))
    # Latin letters have three empty bytes of four in the one, every other in the other.
    return {3: "UTF-32", 2: "UTF-16"}.get(empty)
