"""Files and archives of KuaiSAR with whatever may be wrong with them."""

from __future__ import annotations

import re
import stat
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.reader import Wanted
from benchmark.errors import InputError
from tests.data.generated.kuaisar import FILES, write_folder, write_zip

from .broken_files import BREAKAGES, broken, one_line
from .kuaisar_files import (
    COLUMNS,
    READER,
    TINY,
    copied,
    read,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("kuaisar") / "files", TINY)


@pytest.fixture
def small(folder: Path, tmp_path: Path) -> Path:
    return copied(folder, tmp_path)


SPOILT = {
    "an id that is none": ("rec", 5, lambda s: "x" + s, r"rec_inter\.csv:5: user_id 'x.*whole num"),
    "a fractional id": ("rec", 3, lambda s: "1.5" + s, r"rec_inter\.csv:3: user_id '1\.5"),
    "a time that is none": (
        "search",
        4,
        lambda s: re.sub(r",16\d+,", ",soon,", s),
        r"src_inter\.csv:4: search_session_timestamp 'soon' is not a number",
    ),
    "a cell too few": ("rec", 9, lambda s: s.rpartition(",")[0], r":9: 11 fields in place of 12"),
    "a cell too many": ("search", 9, lambda s: s + ",1", r":9: 10 fields in place of 9"),
    "an unclosed quote": ("items", 6, lambda s: '"' + s, r"item_features\.csv:6: "),
    "a huge line": ("rec", 7, lambda s: s + "9" * 20_000_000, r"rec_inter\.csv:7: .*longer than"),
    "not UTF-8": ("items", 8, lambda s: s.replace(",", ",\udcff", 1), r"csv:8: byte \d+ is not"),
    "other separators": (
        "rec",
        1,
        lambda s: s.replace(",", "\t"),
        r"csv:1: the fields are separated by tabs",
    ),
    "a field missing": ("rec", 1, lambda s: s.replace("click", "klick"), r"field click is missing"),
    "a field twice": ("rec", 1, lambda s: s.replace("like", "click"), r"click is named twice"),
    "a bad user file": ("users", 3, lambda s: "u" + s, r"user_features\.csv:3: user_id 'u"),
    "a bad social file": ("social", 3, lambda s: "u" + s, r"social_network\.csv:3: user_id 'u"),
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_spoilt_file_is_refused_with_its_line(small: Path, what: str) -> None:
    kind, line, change, message = SPOILT[what]
    path = small / FILES[kind]
    lines = path.read_bytes().decode("utf-8").split("\n")
    lines[line - 1] = change(lines[line - 1])
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=message) as error:
        read(small, COLUMNS)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


TOLD = {
    "no user": ("rec", r"^\d+", "", "user_id is empty"),
    "no time": ("rec", r"\d+\.0(?=,\d,\d,\d,\d,\d,\d,)", "", "timestamp is empty"),
    "a time before there was any": ("rec", r"\d+\.0(?=,\d,\d,\d)", "-5", "no moment since 1970"),
    "no label": ("rec", r"[01](?=,2023)", "", "click is empty"),
    "an unclosed list": ("search", r'"\[[^"]*"', '"[1, 2"', "keyword is no list"),
    "code": ("search", r'"\[[^"]*"', "\"[__import__('os').abort()]\"", "keyword is no list"),
    "an empty list": ("search", r'"\[[^"]*"', "[]", "keyword is no list of integer tokens, or"),
    "no caption": ("items", r'"\[[^"]*"', '"[1, x]"', "caption is no list"),
    "an item twice": ("items", None, None, "has a row already"),
}


@pytest.mark.parametrize("what", TOLD)
def test_a_row_that_lacks_something_is_counted_or_refused(small: Path, what: str) -> None:
    kind, pattern, instead, fault = TOLD[what]
    path = small / FILES[kind]
    lines = path.read_text(encoding="utf-8").split("\n")
    place = (
        3
        if pattern is None
        else next(i for i, line in enumerate(lines) if i and re.search(pattern, line))
    )
    lines[place] = lines[place - 1] if pattern is None else re.sub(pattern, instead, lines[place])
    path.write_text("\n".join(lines), encoding="utf-8")
    cleaning, files = Cleaning(), {kind: small / name for kind, name in FILES.items()}
    READER.read(files, READER.rules(), Wanted(COLUMNS, None, cleaning))
    notes = [note for note in cleaning.notes if fault in note]
    assert len(notes) == 1
    assert re.search(rf"^{path.name}:{place + 1}: .*\(1 of \d+ rows\)", notes[0])
    with pytest.raises(InputError, match=rf"^{path.name}:{place + 1}: .*'strict'"):
        READER.read(files, READER.rules(), Wanted(COLUMNS, None, Cleaning(strict=True)))


def test_a_file_of_which_no_row_is_whole_names_the_first(small: Path) -> None:
    path = small / FILES["search"]
    text = re.sub(r'"\[[^"]*"|\[\d+\]', "nothing", path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"src_inter\.csv:2: keyword is no list .* none of"):
        read(small)


@pytest.mark.parametrize("kind", ["rec", "search", "items"])
def test_a_header_without_rows_is_refused(small: Path, kind: str) -> None:
    path = small / FILES[kind]
    path.write_text(path.read_text(encoding="utf-8").split("\n")[0] + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=rf"^{path.name}: "):
        read(small, COLUMNS)


def test_a_card_that_names_texts_needs_their_file(small: Path) -> None:
    (small / FILES["items"]).unlink()
    with pytest.raises(InputError, match=r"caption.*name the file 'items'"):
        read(small, COLUMNS)
    with pytest.raises(InputError, match=r"no field 'captoin'; did you mean 'caption'\?"):
        read(write_folder(small / "more", TINY), ("captoin",))


def zipped(path: Path, folder: Path, change: Callable[[zipfile.ZipFile], None]) -> Path:
    """Write an archive, then add something to it."""
    write_zip(path, folder)
    with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        change(archive)
    return path


def link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("rec_inter.csv")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


HOSTILE_ARCHIVES = {
    "leads out": (lambda a: a.writestr("../../rec_inter.csv", "x"), "leads out of the archive"),
    "absolute": (lambda a: a.writestr("/etc/rec_inter.csv", "x"), "leads out of the archive"),
    "a link": (lambda a: a.writestr(link(), "/etc/passwd"), "is a link"),
    "twice": (lambda a: a.writestr("other/rec_inter.csv", "x"), "holds rec_inter.csv twice"),
    "a bomb": (
        lambda a: a.writestr("b/rec_inter.csv", b"0" * 80_000_000, zipfile.ZIP_DEFLATED, 9),
        "unpacks to 80,000,000 bytes",
    ),
}


@pytest.mark.parametrize("what", HOSTILE_ARCHIVES)
def test_a_hostile_archive_is_refused(folder: Path, tmp_path: Path, what: str) -> None:
    change, message = HOSTILE_ARCHIVES[what]
    path = zipped(tmp_path / "K.zip", folder, change)
    with pytest.raises(InputError, match=f"^K.zip: .*{message}"):
        READER.read({"archive": path}, READER.rules(), Wanted())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["K.zip"]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_archive_is_refused(folder: Path, tmp_path: Path, share: float) -> None:
    path = write_zip(tmp_path / "K.zip", folder)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputError, match=r"^K\.zip"):
        READER.read({"archive": path}, READER.rules(), Wanted())


def test_a_damaged_archive_is_refused(folder: Path, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "K.zip", folder)
    whole = path.read_bytes()
    for place in np.linspace(200, len(whole) // 2, 8, dtype=int).tolist():
        spoilt = bytearray(whole)
        spoilt[place : place + 40] = bytes(40)
        path.write_bytes(bytes(spoilt))
        with pytest.raises(InputError) as error:
            READER.read({"archive": path}, READER.rules(), Wanted(COLUMNS))
        assert "\n" not in str(error.value)


def test_an_archive_without_a_file_is_refused(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "K.zip", "w") as archive:
        archive.write(folder / FILES["rec"], FILES["rec"])
    with pytest.raises(InputError, match=r"^K\.zip: holds no src_inter\.csv"):
        READER.read({"archive": tmp_path / "K.zip"}, READER.rules(), Wanted())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(what=st.sampled_from([*FILES]), how=BREAKAGES, strict=st.booleans())
@example(what="search", how=("insert", 0.0, b"(" * 5000), strict=False)
def test_a_broken_file_is_one_line_or_a_count(what: str, how: tuple, strict: bool) -> None:
    size = replace(TINY, rec_rows=40, search_rows=30)
    with tempfile.TemporaryDirectory() as name:
        folder = write_folder(Path(name), replace(size, items=30, rec_items=20, search_items=20))
        broken(folder / FILES[what], how, packed=False)
        cleaning, files = Cleaning(strict), {kind: folder / each for kind, each in FILES.items()}
        try:
            source = READER.read(files, READER.rules(), Wanted(COLUMNS, None, cleaning))
        except InputError as error:
            assert one_line(error, *FILES.values())
            return
    assert all("\n" not in note for note in (*cleaning.notes, *source.notes))
    assert len(source.inter.user) > 0
