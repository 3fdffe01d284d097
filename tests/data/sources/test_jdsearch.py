"""The reader of JDsearch, against a slow one, and against broken files."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.data.audit import audit
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.jdsearch import READER
from benchmark.data.sources.jdsearch_rules import JDsearchRules
from benchmark.data.sources.reader import Wanted
from benchmark.data.sources.source import Source
from benchmark.errors import InputError
from tests.data.generated.jdsearch import (
    LOG_HEADER,
    PRODUCT_HEADER,
    Mall,
    write_card,
    write_jdsearch,
)
from tests.data.held_against import asked_in, check_card, rows_of
from tests.data.slow_card import settings_of, without_clock

from .broken_files import BREAKAGES, broken, one_line
from .jdsearch_reference import read_jdsearch

RULES = st.fixed_dictionaries(
    {},
    optional={
        "time": st.sampled_from(["gaps", "positions"]),
        "sessions": st.sampled_from(["runs", "none"]),
        "missing": st.sampled_from(["keep", "drop"]),
        "grades": st.sampled_from([{"ORD": 3.0, "CLICK": 0.5}, {"FLW": 2.0, "CART": 1.0}]),
    },
)
TERMS = st.sampled_from(["12", "12\x1832", "7\x18560\x1812", "99"])
ITEM = st.sampled_from([str(100 + k) for k in range(12)])
GAP = st.sampled_from(["0", "1", "3", "40"])
LABEL = st.sampled_from(["0.0", "0.0", "0.0", "1.0", "2.0", "3.0"])


@st.composite
def users(draw: st.DrawFn) -> str:
    """Draw a line; now and then its lists do not fit together, or hold what they should not."""
    shown = draw(st.lists(st.tuples(ITEM, LABEL), min_size=1, max_size=6))
    event = st.tuples(
        st.sampled_from(["-1", "-1", "12", "12", "12\x1832", "99"]),
        ITEM,
        st.sampled_from(["CLICK", "CART", "ORD", "FLW"]),
        GAP,
    )
    history = draw(st.lists(event, max_size=9))
    cells = [
        [draw(TERMS)],
        [item for item, _ in shown],
        [label for _, label in shown],
        *([event[k] for event in history] for k in range(3)),
        ["0", *(event[3] for event in history)],
    ]
    odd = draw(st.integers(0, 24))
    if odd < 7 and cells[odd]:
        cells[odd] = draw(
            st.sampled_from([cells[odd][1:], [*cells[odd], ""], ["x", *cells[odd][1:]]])
        )
    return "\t".join("_".join(each) for each in cells)


@st.composite
def malls(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Draw the lines of both files."""
    log = [LOG_HEADER] * draw(st.integers(0, 1))
    log += draw(st.lists(users(), min_size=1, max_size=6))
    products = [PRODUCT_HEADER] * draw(st.integers(0, 1))
    for _ in range(draw(st.integers(1, 12))):
        cells = [draw(ITEM), *(draw(TERMS | st.just("")) for _ in range(12))]
        products.append("\t".join(cells))
    return log, products


def write(folder: Path, mall: tuple[list[str], list[str]]) -> dict[str, Path]:
    files = {"log": folder / "release_data.txt", "products": folder / "product_data.txt"}
    for path, lines in zip(files.values(), mall, strict=True):
        path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return files


COLUMNS = tuple(PRODUCT_HEADER.split("\t")[1:])


def read_source(files: Mapping[str, Path], rules: Mapping, cleaning: Cleaning) -> Source:
    wanted = Wanted(columns=COLUMNS, cleaning=cleaning)
    return READER.read(files, JDsearchRules.model_validate(rules), wanted)


@settings(max_examples=60, deadline=None)
@given(mall=malls(), rules=RULES)
def test_the_source_is_that_of_a_slow_reader(mall: tuple, rules: dict) -> None:
    with tempfile.TemporaryDirectory() as name:
        files = write(Path(name), mall)
        expected, cleaning = read_jdsearch(files, rules), Cleaning()
        try:
            source = read_source(files, rules, cleaning)
        except InputError as error:
            assert not expected.events, error
            return
    assert rows_of(source) == Counter(expected.rows)
    texts = {
        item: {name: column[row].as_py() for name, column in source.items.columns.items()}
        for row, item in enumerate(source.items.ids.to_pylist())
    }
    assert texts == expected.texts
    told = [note for note in cleaning.notes if "lines); they are left out" in note]
    assert bool(told) == bool(expected.left_out)
    assert all(f"({expected.left_out} of " in note for note in told)
    for count, what in (
        (expected.unasked, "test queries have no label above 0"),
        (expected.tied, "test queries are of the moment of the event before"),
    ):
        told = [note for note in source.notes if what in note]
        assert [note.split()[0] for note in told] == [str(count)] * bool(count)


SPLITS = (
    {"name": "leave-one-out"},
    {"name": "leave-one-out", "both_before": True},
    {"name": "leave-one-out", "leakage": "paper"},
    {"name": "temporal"},
    {"name": "days"},
    {"name": "official"},
    {"name": "official"},
    {"name": "official", "leakage": "paper"},
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mall=malls(), rules=RULES, card=settings_of(SPLITS), strict=st.booleans())
def test_whatever_the_card_says_requests_are_those_of_the_definition(
    mall: tuple, rules: dict, card: dict, strict: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = write(folder, mall)
        read = read_jdsearch(files, rules)
        own = {what: value for what, value in card.items() if what != "seen"}
        names = {what: path.name for what, path in files.items()}
        write_card(folder, names, rules=rules, strict=strict, **own)
        odd = bool(read.left_out or read.again)
        if not read.events or (strict and odd):
            with pytest.raises(
                InputError, match=r"any other line|no event|'strict' out|grade is 0"
            ):
                load_dataset(folder, cache=folder / "cache")
            return
        card = {**card, "strict": strict}
        check_card(
            folder,
            read.rows,
            [*read.texts],
            without_clock(card) if rules.get("time") == "positions" else card,
        )


@pytest.fixture
def mall(tmp_path: Path) -> Path:
    """Return a folder of generated files with a card."""
    return write_card(tmp_path, write_jdsearch(tmp_path, Mall()))


def test_the_test_query_is_the_last_search_with_graded_and_given_candidates(mall: Path) -> None:
    asked = load_dataset(mall, seen="keep").evaluation["test", Task.SEARCH]
    assert "given" in asked.protocols
    assert set(asked.relevant.gain.tolist()) == {1.0, 2.0, 3.0}
    shown = {}
    for number, line in enumerate((mall / "release_data.txt").read_text().splitlines()[1:], 2):
        cells = line.split("\t")
        shown[str(number)] = set(cells[1].split("_"))
    dataset = load_dataset(mall, seen="keep")
    for i in range(len(asked)):
        user = dataset.users[int(asked.requests.user[i])]
        mine = asked.lists["given"].at(np.array([i])).items.tolist()
        assert {dataset.items.ids[k] for k in mine} == shown[user]
    assert audit(dataset).ok


def test_positions_read_the_history_as_it_is_shipped(mall: Path) -> None:
    by_gaps = load_dataset(mall, seen="keep").evaluation["test", Task.SEARCH]
    names = {"log": "release_data.txt", "products": "product_data.txt"}
    write_card(mall, names, rules={"time": "positions"}, copies={"keep": True})
    dataset = load_dataset(mall, seen="keep")
    asked = dataset.evaluation["test", Task.SEARCH]
    lines = (mall / "release_data.txt").read_text().split("\n")
    offsets, _ = asked.requests.history_rows()
    for user, length in zip(asked.requests.user.tolist(), np.diff(offsets).tolist(), strict=True):
        cells = lines[int(dataset.users[user]) - 1].split("\t")
        assert length == len(cells[4].split("_"))
    lengths = np.diff(by_gaps.requests.history_rows()[0])
    assert lengths.sum() < np.diff(offsets).sum(), "some test queries share a moment"


@settings(max_examples=50, deadline=None)
@given(what=st.sampled_from(["log", "products"]), how=BREAKAGES, strict=st.booleans())
def test_a_broken_file_is_one_line_or_a_count(what: str, how: tuple, strict: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = write_jdsearch(folder, Mall(users=6, products=20, events=40))
        broken(folder / names[what], how, packed=False)
        files = {each: folder / names[each] for each in names}
        cleaning = Cleaning(strict)
        wanted = Wanted(columns=("name",), cleaning=cleaning)
        try:
            source = READER.read(files, JDsearchRules(), wanted)
        except InputError as error:
            assert one_line(error, *names.values())
            return
    assert all("\n" not in note for note in (*cleaning.notes, *source.notes))
    assert len(source.inter.user) > 0


SOUND = "12\x1832\t5_6\t1.0_0.0\t-1_7\t8_9\tORD_CLICK\t0_3_4"
LINES = [
    ("12,5_6,1.0_0.0,-1,8,ORD,0_3", "separated by commas; they must be by tabs"),
    ("12\t5_6", "2 fields in place of 7, separated by tabs"),
    (SOUND.replace("5_6", "5_6_7"), "as many labels as candidates"),
    (SOUND.replace("-1_7", "-1"), "as many queries and types as products"),
    (SOUND.replace("0_3_4", "0_3"), "one gap more than products"),
    (SOUND.replace("1.0_", "4.0_"), "a label is not 0, 1, 2 or 3"),
    (SOUND.replace("1.0_", "x_"), "a label is not 0, 1, 2 or 3"),
    (SOUND.replace("_3_", "_-3_"), "a gap is no whole number"),
    (SOUND.replace("_3_", "_99999999999_"), "a gap is no whole number"),
    (SOUND.replace("ORD", "LIKE"), "a type is none of CLICK, CART, ORD, FLW"),
    (SOUND.replace("8_9", "8_"), "a product or query of a list is empty"),
    (SOUND.replace("12\x1832\t", "\t"), "there is no test query"),
    (" ", "1 fields in place of 7"),
]


@pytest.mark.parametrize(("line", "told"), LINES)
def test_a_faulty_line_is_counted_or_under_strict_refused(
    tmp_path: Path, line: str, told: str
) -> None:
    files = {"log": tmp_path / "release_data.txt"}
    files["log"].write_text("\n".join([SOUND, SOUND, line, SOUND, ""]))
    cleaning = Cleaning()
    source = READER.read(files, JDsearchRules(), Wanted(cleaning=cleaning))
    assert any(
        "release_data.txt:3: " in n and told in n and "(1 of 4 " in n for n in cleaning.notes
    )
    assert len(source.inter.users) == 3
    with pytest.raises(InputError, match=r"release_data\.txt:3: "):
        READER.read(files, JDsearchRules(), Wanted(cleaning=Cleaning(strict=True)))


def test_files_of_another_kind_are_refused_at_their_first_line(tmp_path: Path) -> None:
    path = tmp_path / "release_data.txt"
    for text in ("a,b\n1,2\n", "\x00\x01", "x" * 3_000_000, "", LOG_HEADER + "\n"):
        path.write_text(text)
        with pytest.raises(InputError, match=r"release_data\.txt"):
            READER.read({"log": path}, JDsearchRules(), Wanted())
    path.unlink()
    with pytest.raises(InputError, match="no such file"):
        READER.read({"log": path}, JDsearchRules(), Wanted())


def test_a_column_that_products_have_not_is_refused_with_the_nearest(mall: Path) -> None:
    names = {"log": "release_data.txt", "products": "product_data.txt"}
    with pytest.raises(InputError, match=r"no field 'brand'.*brand_id"):
        load_dataset(write_card(mall, names, title="{name}", text=["brand"]))


def test_the_official_split_tests_the_test_queries_that_have_a_label_and_nothing_else(
    mall: Path,
) -> None:
    names = {"log": "release_data.txt", "products": "product_data.txt"}
    write_card(mall, names, split={"name": "official"})
    asked = asked_in(load_dataset(mall, seen="keep"))
    assert {each for each in asked if each[0] == "test"} == {("test", "search")}
    expected = {}
    for number, line in enumerate((mall / "release_data.txt").read_text().split("\n")[1:-1], 2):
        query, items, labels, *_ = line.split("\t")
        pairs = list(zip(items.split("_"), map(float, labels.split("_")), strict=True))
        if any(label for _, label in pairs):
            best = {item: max(v for i, v in pairs if i == item) for item, _ in pairs}
            graded = tuple(sorted((item, label) for item, label in best.items() if label))
            shown = tuple(sorted(best)) if len(graded) < len(best) else ()
            expected[str(number), query.replace("\x18", " ")] = graded, shown
    found = {(line[0], line[2]): line[3:5] for line in asked["test", "search"]}
    assert found == expected


def test_neighbours_in_an_order_are_no_copies_within_a_time(tmp_path: Path) -> None:
    files = {"log": "release_data.txt"}
    line = "12\t5_6\t1.0_0.0\t-1_-1_-1\t8_8_9\tORD_CLICK_ORD\t0_3_4_2\n"
    (tmp_path / files["log"]).write_text(line)
    for time, events in (("gaps", 2), ("positions", 3)):
        fields = {"title": None, "text": [], "split": {"name": "official"}}
        write_card(tmp_path, files, rules={"time": time}, copies={"within": 5}, **fields)
        log = load_dataset(tmp_path).log
        assert (log.query < 0).sum() == events
