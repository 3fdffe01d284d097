"""Tables as spreadsheets, databases and shops write them: read right, or refused with the mend."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pyarrow as pa
import pytest

from benchmark.data.load import load_dataset
from benchmark.data.new_card import NewCard, new_card
from benchmark.data.sources.tables.alike import written_alike
from benchmark.data.sources.tables.cells import neat
from benchmark.errors import InputError

from .test_tables import START, read, simple

ITEMS = "item_id,title\n" + "".join(f"i{i},chair {i}\n" for i in range(7))
Cell = Callable[[int], str]


def moment(row: int) -> datetime:
    return datetime.fromtimestamp(START + row * 700, timezone.utc)


def events(
    time: Cell = lambda i: moment(i).isoformat(),
    item: Cell = lambda i: f"i{i % 7}",
    more: Cell | None = None,
    head: str = "user_id,item_id,timestamp",
    separator: str = ",",
) -> str:
    cells = [[f"u{i % 4}", item(i), time(i), *([more(i)] if more else [])] for i in range(60)]
    lines = [separator.join(row) for row in cells]
    return "\n".join([head.replace(",", separator), *lines]) + "\n"


def new(folder: Path, log: str | bytes, items: str | None = None, name: str = "log.csv") -> NewCard:
    (folder / name).write_bytes(log.encode() if isinstance(log, str) else log)
    files = {"events": folder / name}
    if items is not None:
        files["items"] = folder / "items.csv"
        files["items"].write_text(items, encoding="utf-8")
    return new_card(files, "log", folder / "made", ())


def written(pattern: str) -> Cell:
    return lambda row: moment(row).strftime(pattern)


TIMES = {
    "day first": written("%d.%m.%Y %H:%M:%S"),
    "compact": written("%Y%m%dT%H%M%SZ"),
    "compact with a zone": lambda i: f"{moment(i):%Y%m%d %H%M%S}+00:00",
    "a number": written("%Y%m%d%H%M%S"),
    "nanoseconds": lambda i: f"{moment(i):%Y-%m-%dT%H:%M:%S}.000000000Z",
    "an exponent": lambda i: f"{START + i * 700:.9e}",
}


@pytest.mark.parametrize("kind", TIMES)
def test_usual_writings_of_one_moment_are_one_time(kind: str, tmp_path: Path) -> None:
    made = new(tmp_path, events(TIMES[kind]), ITEMS)
    assert made.guess.columns["time"][0] == "timestamp"
    data = load_dataset(made.folder, cache=tmp_path / "cache")
    assert sorted(data.log.time.tolist()) == [START + row * 700 for row in range(60)]


def test_days_as_numbers_are_days_unless_one_of_them_is_none(tmp_path: Path) -> None:
    def days(last: str) -> list[int]:
        table = "user_id,item_id,timestamp\nu,a,20240229\nu,b,20231231\nu,c," + last + "\n"
        (tmp_path / "e").write_text(table, encoding="utf-8")
        return read({"events": tmp_path / "e"}, {}).inter.time.tolist()

    day = 86_400
    assert days("20240301") == [1_709_164_800, 1_703_980_800, 1_709_164_800 + day]
    for none in ("20240230", "20241301", "20240100", "20240229.5"):
        assert max(days(none)) < 10**8, "positions, and no clock"


DATES = {
    "month first": written("%m/%d/%Y %H:%M"),
    "a name of the zone": lambda i: f"{moment(i):%Y-%m-%d %H:%M} CEST",
    "a day that never was": lambda i: "2023-02-29" if i == 1 else f"{moment(i):%Y-%m-%d}",
    "behind 2099": lambda i: "9999-12-31" if i == 1 else f"{moment(i):%Y-%m-%d}",
    "a decimal comma": lambda i: f'"{START + i},5"',
}


@pytest.mark.parametrize("kind", DATES)
def test_a_time_that_cannot_be_read_is_told_and_no_order_of_rows_stands_for_it(
    kind: str, tmp_path: Path
) -> None:
    made = new(tmp_path, events(DATES[kind]), ITEMS)
    (told,) = made.guess.check
    assert told.startswith("the time 'timestamp' ")
    with pytest.raises(InputError, match=r"log\.csv:[23]: column 'timestamp' "):
        load_dataset(made.folder)
    card = (made.folder / "card.yaml").read_text(encoding="utf-8")
    assert "time: order" not in card
    (made.folder / "card.yaml").write_text(
        card.replace('time: "timestamp"', "time: null"), encoding="utf-8"
    )
    assert len(load_dataset(made.folder).log) == 60


HEADS = {
    "User_ID,ITEM_Id,TimeStamp,Query": "ITEM_ID,Title",
    "Kundennummer,Artikelnummer,Zeitpunkt,Suchbegriff": "Artikelnummer,Bezeichnung",
    "Kunden-Nr.,Artikel-Nr.,Datum,Suche": "Artikel-Nr.,Name",
    "用户编号,商品编号,浏览时间,搜索关键词": "商品编号,商品名称",
    "customerno,productcode,created,searchTerm": "productcode,productName",
}


@pytest.mark.parametrize("head", HEADS)
def test_columns_are_told_by_names_in_any_case_and_language(head: str, tmp_path: Path) -> None:
    log = events(more=lambda i: f"stuhl {i % 3}", head=head)
    made = new(tmp_path, log, ITEMS.replace("item_id,title", HEADS[head]))
    roles = ("user", "item", "time", "query")
    assert [made.guess.columns[role][0] for role in roles] == head.split(",")
    key, title = HEADS[head].split(",")
    assert made.guess.item_key is not None and made.guess.item_key[0] == key
    assert made.guess.title is not None and made.guess.title[0] == title


def nested(index: int) -> str:
    record = {"user_id": f"u{index % 4}", "item_id": f"i{index % 7}", "timestamp": START + index}
    return json.dumps({**record, "meta": {"a": [1, {"b": 2}]} if index % 2 else {}}) + "\n"


LEFT_OUT = {
    "columns without a name": (events(more=lambda i: ",,,", head="user_id,item_id,timestamp,,,,")),
    "columns named twice": events(more=lambda i: "1,2", head="user_id,item_id,timestamp,x,x"),
    "objects": "".join(map(nested, range(60))),
    "two pipes": events(separator="||"),
}


@pytest.mark.parametrize("kind", LEFT_OUT)
def test_columns_that_nothing_needs_do_no_harm(kind: str, tmp_path: Path) -> None:
    made = new(tmp_path, LEFT_OUT[kind], ITEMS)
    told = {"columns named twice": "'x' was not", "objects": "'meta' was not"}.get(kind)
    assert [told in line for line in made.guess.check] == [True] * bool(told)
    assert len(load_dataset(made.folder, cache=tmp_path / "cache").log) == 60


REFUSED: dict[str, tuple[str | bytes, str | None, str]] = {
    "a line for Excel": ("sep=;\n" + events(separator=";"), None, ":1: the line 'sep=;' speaks to"),
    "a blank first line": ("\n" + events(), None, "log.csv:1: the first line is blank"),
    "old line ends": (events().replace("\n", "\r"), None, "the lines end by CR alone"),
    "no header": (events().partition("\n")[2], None, "does the first line hold values?"),
    "numbers and no header": (
        "".join(f"{i % 4},{i % 4},{START + i}\n" for i in range(9)),
        None,
        "does the first line hold values?",
    ),
    "a title": ("Report of May\n\n" + events(), None, "let the first line name the columns"),
    "the user twice": (
        events(head="user_id,item_id,timestamp,user_id", more=str),
        None,
        "column 'user_id' is named twice",
    ),
    "the user as an object": (
        "".join(json.dumps({"user": {"id": i}, "item_id": i}) + "\n" for i in range(9)),
        None,
        "column 'user' holds objects",
    ),
    "files in the wrong order": (ITEMS, events(), "the file of events is named first"),
    "too many columns": (
        ",".join(["user_id", "item_id", *(f"c{i}" for i in range(100_000))]) + "\n1,2" * 3,
        None,
        "log.csv:1: more than 500 columns",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_told_is_refused_with_the_mend(kind: str, tmp_path: Path) -> None:
    log, items, said = REFUSED[kind]
    with pytest.raises(InputError) as refused:
        new(tmp_path, log, items)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "made").exists()


def test_one_file_for_both_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(events(), encoding="utf-8")
    both = {"events": tmp_path / "log.csv", "items": tmp_path / ".." / tmp_path.name / "log.csv"}
    with pytest.raises(InputError, match="is named for the events and for the items"):
        new_card(both, "log", tmp_path / "made", ())


@pytest.mark.parametrize(
    ("of_event", "of_item"), [("007", "7"), ("7.0", "7"), ("7", "007"), ("AB7", "ab7")]
)
def test_ids_that_a_spreadsheet_changed_are_told(
    of_event: str, of_item: str, tmp_path: Path
) -> None:
    made = new(
        tmp_path,
        events(item=lambda i: (of_event, "none")[i % 2]),
        f"item_id,title\n{of_item},chair\n5,table\n",
    )
    card = (made.folder / "card.yaml").read_text(encoding="utf-8")
    assert "item_columns" in card
    with pytest.raises(InputError, match=f"'{of_event}' is not .* but '{of_item}' is: write the"):
        load_dataset(made.folder)
    assert written_alike("8", pa.array([of_item], pa.large_string())) is None


def test_a_rating_with_a_decimal_comma_is_told_with_the_mend(tmp_path: Path) -> None:
    log = events(separator=";", more=lambda i: "3,5", head="user_id,item_id,timestamp,stars")
    rules = {"columns": {"rating": "stars"}, "at_least": {"rating": 2}}
    with pytest.raises(InputError, match="not a number, but '3,5'; write a point for the decimal"):
        load_dataset(simple(tmp_path / "log", log, **rules))


@pytest.mark.parametrize("blank", ["\u3000", "\u00a0", "\u2009", "\u2028", "\x85", "\x1f", " \t "])
def test_a_cell_reads_alike_whatever_stands_in_the_others(blank: str) -> None:
    cell = f"{blank}红色{blank}椅子{blank}"
    for others in (["plain"], ["plain", " untidy\t"]):
        column = pa.array([cell, *others], pa.large_string())
        assert neat(column, ())[0].as_py() == "红色 椅子"
