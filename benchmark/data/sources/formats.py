"""The formats that a card can name, each read by a module of its own."""

from __future__ import annotations

from importlib import import_module

from benchmark.data.sources.reader import Reader
from benchmark.errors import InputError, did_you_mean

__all__ = ["FORMATS", "reader_of"]

FORMATS = {
    "amazon": "amazon",
    "atomic": "atomic.reader",
    "qilin": "qilin",
    "kuaisearch": "kuaisearch",
    "hetrec-lastfm": "hetrec_lastfm",
    "jdsearch": "jdsearch",
    "kuaisar": "kuaisar",
    "movielens": "movielens",
    "synthetic": "synthetic.reader",
    "table": "tables.reader",
}
"""The module of each format, which holds its :class:`Reader` as ``READER``."""


def reader_of(name: str) -> Reader:
    """Return the reader of a format; only its module is imported.

    Raises:
        InputError: there is no such format.
    """
    if name not in FORMATS:
        raise InputError(f"unknown format{did_you_mean(name, FORMATS)}")
    reader = import_module(f"benchmark.data.sources.{FORMATS[name]}").READER
    assert isinstance(reader, Reader)
    return reader
