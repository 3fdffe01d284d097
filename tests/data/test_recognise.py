"""A file of another separator, encoding or packing is recognised, and the mend is named."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.cli.tiers import _read
from benchmark.data.card import read_card
from benchmark.data.recognise import recognise
from benchmark.data.requests import Task
from benchmark.data.sources.atomic.tables import read_inter
from benchmark.errors import InputError
from benchmark.exchange.trec_read import read_listing

TABLE = "user_id:token\titem_id:token\ttimestamp:float\nu\té\t1\nu\tj\t2\n"
SCORES = "system,item,score\na,é,1\nb,2,3\n"
RUN = "rec-0 Q0 i 1 0.5 é\n"
CARD = "name: x\ndescription: é\n"


def _zipped(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, TABLE)
    return buffer.getvalue()


def _tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("x")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"abc"))
    return buffer.getvalue()


def _saved(how: str) -> bytes:
    buffer = io.BytesIO()
    frame = pd.DataFrame({"a": [1, 2]})
    if how == "npy":
        np.save(buffer, np.arange(3))
    else:
        getattr(frame, f"to_{how}")(buffer)
    return buffer.getvalue()


FOREIGN = {
    "gzip": (gzip.compress(TABLE.encode()), "packed by gzip; unpack it"),
    "bzip2": (bz2.compress(TABLE.encode()), "packed by bzip2"),
    "xz": (lzma.compress(TABLE.encode()), "packed by xz"),
    "zstd": (b"\x28\xb5\x2f\xfd\x04\x58", "packed by zstd"),
    "zip": (_zipped("ml.inter"), "packed by zip"),
    "tar": (_tarred(), "a tar archive"),
    "Excel": (_zipped("[Content_Types].xml"), "an Excel workbook"),
    "old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "an Excel or other Office"),
    "OpenDocument": (_zipped("mimetypeapplication/vnd.oasis.opendocument.x"), "an OpenDocument"),
    "Parquet": (_saved("parquet"), "a Parquet file; save it as"),
    "Feather": (_saved("feather"), "an Arrow or Feather file"),
    "NumPy": (_saved("npy"), "a NumPy array"),
    "pickle": (_saved("pickle"), "a Python pickle"),
    "SQLite": (b"SQLite format 3\0" + bytes(100), "an SQLite database"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file"),
    "PDF": (b"%PDF-1.7\n", "a PDF"),
    "page": (b"\n<!DOCTYPE html>\n<html><body>404</body></html>\n", "a web page"),
    "XML": (b"\xef\xbb\xbf<?xml version='1.0'?>\n<a/>\n", "a web page or XML"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "git-annex": (b"/annex/objects/SHA256E-s1--0.inter\n", "git annex get"),
    "UTF-16 LE": (TABLE.encode("utf-16"), "UTF-16; save it as UTF-8"),
    "UTF-16 BE": (b"\xfe\xff" + TABLE.encode("utf-16-be"), "UTF-16"),
    "UTF-16 LE, unmarked": (TABLE.encode("utf-16-le"), "UTF-16"),
    "UTF-16 BE, unmarked": (TABLE.encode("utf-16-be"), "UTF-16"),
    "UTF-32 LE": (TABLE.encode("utf-32"), "UTF-32"),
    "UTF-32 BE": (b"\0\0\xfe\xff" + TABLE.encode("utf-32-be"), "UTF-32"),
    "UTF-32 LE, unmarked": (TABLE.encode("utf-32-le"), "UTF-32"),
    "UTF-32 BE, unmarked": (TABLE.encode("utf-32-be"), "UTF-32"),
}


def _refused(reader: str, content: bytes, folder: Path) -> str:
    path = folder / {"card": "card.yaml", "table": "ml.inter"}.get(reader, reader)
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        if reader == "table":
            read_inter(path)
        elif reader == "run":
            read_listing(path, Task.REC, 3, ["i", "j"])
        elif reader == "card":
            read_card(path)
        else:
            _read(path)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 300
    return message


@pytest.mark.parametrize("case", FOREIGN)
@pytest.mark.parametrize("reader", ["table", "run", "scores", "card"])
def test_every_reader_recognises_what_is_no_text(reader: str, case: str, tmp_path: Path) -> None:
    content, message = FOREIGN[case]
    assert message in _refused(reader, content, tmp_path)


@pytest.mark.parametrize("text", [TABLE, SCORES, RUN, CARD, "", "a\n", "数据\t电影\n" * 9, "{}"])
def test_text_is_not_mistaken(text: str) -> None:
    for encoding in ("utf-8", "utf-8-sig"):
        assert recognise(text.encode(encoding), "x") is None


@pytest.mark.parametrize(
    ("encoding", "letters", "kinds"),
    [
        ("latin-1", "é", "Latin-1 or Windows-1252"),
        ("cp1252", "Malmö “naïve” €", "Latin-1 or Windows-1252"),
        ("gb18030", "数据电影", "GBK, Big5"),
        ("big5", "電影資料", "GBK, Big5"),
        ("shift_jis", "映画データ", "GBK, Big5, Shift-JIS"),
    ],
)
@pytest.mark.parametrize(
    ("reader", "text"), [("table", TABLE), ("run", RUN), ("scores", SCORES), ("card", CARD)]
)
def test_another_encoding_is_named_with_its_line(
    reader: str, text: str, encoding: str, letters: str, kinds: str, tmp_path: Path
) -> None:
    message = _refused(reader, text.replace("é", letters).encode(encoding), tmp_path)
    assert f"not UTF-8 (perhaps {kinds}" in message
    assert "save the file as UTF-8" in message


SEPARATORS = {
    "commas": ",",
    "semicolons": ";",
    "pipes": "|",
    "double colons": "::",
    "blanks": " ",
    "the characters \\t": "\\t",
    "the byte 0x01": "\x01",
}


@pytest.mark.parametrize("name", SEPARATORS)
@pytest.mark.parametrize(
    "header",
    [
        "user_id:token\titem_id:token\ttimestamp:float",
        '"user_id:token"\t"item_id:token"\t"timestamp:float"',
        "user_id:token\titem_id:token\ttimestamp:int",
        "user_id\titem_id\ttimestamp",
        "userId\tmovieId\trating\ttimestamp",
        "user_id:token\t item_id:token\t timestamp:float",
    ],
)
def test_another_separator_of_the_header_is_named(name: str, header: str, tmp_path: Path) -> None:
    text = f"{header}\nu\ti\t1\n".replace("\t", SEPARATORS[name])
    message = _refused("table", text.encode(), tmp_path)
    assert f"ml.inter:1: the fields are separated by {name}; they must be by tabs" in message


@pytest.mark.parametrize("name", SEPARATORS)
def test_another_separator_below_the_header_is_named(name: str, tmp_path: Path) -> None:
    head, *rows = TABLE.splitlines()
    text = "\n".join([head, *(row.replace("\t", SEPARATORS[name]) for row in rows)])
    message = _refused("table", text.encode(), tmp_path)
    assert f"ml.inter:2: the fields are separated by {name}; they must be by tabs" in message


@pytest.mark.parametrize("name", ["tabs", "semicolons", "pipes", "blanks"])
def test_another_separator_of_scores_is_named(name: str, tmp_path: Path) -> None:
    text = SCORES.replace(",", {**SEPARATORS, "tabs": "\t"}[name])
    message = _refused("scores", text.encode(), tmp_path)
    assert f"the fields are separated by {name}; they must be by commas" in message


@pytest.mark.parametrize("name", ["commas", "semicolons", "pipes"])
def test_another_separator_of_a_run_is_named(name: str, tmp_path: Path) -> None:
    message = _refused("run", RUN.replace(" ", SEPARATORS[name]).encode(), tmp_path)
    assert f"the fields are separated by {name}; they must be by blanks" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"user_id:token": "u", "item_id:token": "i"}\n', "the file is JSON"),
        ('[{"user_id": 1}]\n', "the file is JSON"),
        ('"user_id:token"\t"item_id:token"\n', "the header stands in quotation marks"),
        ("user_id\titem_id\ttimestamp\nu\ti\t1\n", "the header names no types"),
        ("u1\ti1\t10\nu1\ti2\t20\n", "the first line is no header"),
        ("\n\n", "the first line is empty"),
        (TABLE.replace("\n", "\t\n", 1), "field 4 of the header is empty"),
    ],
)
def test_a_first_line_that_is_no_header_is_named(text: str, message: str, tmp_path: Path) -> None:
    assert message in _refused("table", text.encode(), tmp_path)


def test_packed_scores_are_still_read(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv.gz"
    path.write_bytes(gzip.compress(SCORES.encode()))
    assert list(_read(path)["system"]) == ["a", "b"]
