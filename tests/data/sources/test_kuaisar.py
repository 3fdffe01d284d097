"""Format ``kuaisar`` against a slow reference, and as a user meets it."""

from __future__ import annotations

import csv
import re
import stat
import tempfile
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.data.audit import audit
from benchmark.data.events import EventSource
from benchmark.data.load import load_dataset
from benchmark.data.locate import cards_folder
from benchmark.data.requests import Task
from benchmark.data.sources import csv_batches
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.formats import reader_of
from benchmark.data.sources.reader import Wanted
from benchmark.data.sources.source import Source
from benchmark.errors import InputError
from tests.data.generated.kuaisar import FILES, FULL, _tokens, write_folder, write_zip
from tests.data.held_against import check_card, rows_of
from tests.data.slow_card import settings_of

from . import kuaisar_reference as slow

READER = reader_of("kuaisar")
MIDNIGHT = 1_685_462_400_000
"""The last day of May 2023 begins in Beijing."""
HOUR = 3_600_000
SPLIT = {"name": "days", "zone": "Asia/Shanghai"}
COLUMNS = ("caption", "first_level_category_name_en", "author_id", "upload_time")
REC = "user_id,item_id,duration_ms,playing_time,timestamp,forward,like,follow,search_item_related"
REC_FIELDS = [*REC.split(","), "search", "click", "time"]
SEARCH = "keyword,item_id,click_cnt,search_session_id,item_type,user_id,search_session_timestamp"
SEARCH_FIELDS = [*SEARCH.split(","), "search_source", "search_session_time"]
ITEM_FIELDS = ["item_id", *COLUMNS]

FLAG = st.sampled_from(["0", "1"])
TIMES = st.sampled_from([-40, -30, -26, -24, -2, -1, 0, 1, 5]).map(lambda h: MIDNIGHT + h * HOUR)
EDGES = st.sampled_from([MIDNIGHT - 1, MIDNIGHT, MIDNIGHT - 24 * HOUR - 1, MIDNIGHT - 24 * HOUR])
REC_ROWS = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.integers(1, 6),
        st.sampled_from(["0.0", "9000.0", "20000"]),
        st.sampled_from(["0", "5000.0", "9000.0", "18000.0", "17999"]),
        (TIMES | EDGES).map(lambda t: f"{t}.0"),
        FLAG,
        FLAG,
        FLAG,
        FLAG,
        FLAG,
        FLAG,
        st.just("2023-05-31 00:00:00"),
    ),
    min_size=1,
    max_size=25,
)
KEYWORDS = st.sampled_from(["[1, 2]", "[1,2]", "[2]", "[ 3 ,4, 5 ]", "[]", "[1, 2", "nonsense"])
TYPES = st.sampled_from(["VIDEO", "USER", "LIVE"])
RESULTS = st.lists(st.tuples(st.integers(3, 9), st.integers(0, 2), TYPES), min_size=1, max_size=5)
SESSIONS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 4), KEYWORDS, TIMES, RESULTS),
    min_size=1,
    max_size=8,
)
NO_LISTS = ("['x']", "__import__('os').abort()")
ITEM_ROWS = st.lists(
    st.tuples(
        st.integers(1, 12),
        st.sampled_from(["[7, 8]", "[]", "[9]", *NO_LISTS]),
        st.sampled_from(["empty", "Funny", "music, loud"]),
        st.sampled_from(["0", "44552"]),
        st.sampled_from(["1970-01-01", "2023-04-22"]),
    ),
    max_size=10,
).map(lambda rows: [(1, "[1]", "Food", "1", "2020-01-01"), *rows])
RULES = st.fixed_dictionaries(
    {},
    optional={
        "positive": st.dictionaries(
            st.sampled_from(["click", "like", "follow", "forward", "search", "long-view"]),
            st.sampled_from([1.0, 2.0, 3.0]),
            min_size=1,
            max_size=3,
        ),
        "long_view": st.sampled_from([5.0, 9.0, 18.0]),
        "item_types": st.sampled_from([["VIDEO"], ["VIDEO", "USER"], ["USER"]]),
        "clickless": st.sampled_from(["drop", "keep", "earliest"]),
        "most_clicks": st.integers(1, 2),
        "exposures": st.sampled_from(["given", "drop"]),
        "core": st.fixed_dictionaries({"user": st.integers(1, 3), "item": st.integers(1, 2)}),
        "catalogue": st.sampled_from(["log", "listed"]),
    },
)


ALWAYS = [
    (user, item, "9000.0", "9000.0", f"{MIDNIGHT + hours * HOUR + item}.0", *"111111", "")
    for user, items, hours in ((1, (10, 11, 12), -100), (2, (10, 11, 12), -100), (3, (10, 11), -90))
    for item in items
] + [(3, 12, "9000.0", "9000.0", f"{MIDNIGHT + HOUR}.0", *"111111", "")]
"""Something to train on and something to ask, whatever the rules are."""


def search_rows(sessions: list) -> list[tuple]:
    """Return rows of sessions; a session of a user has one time, which another one may have."""
    moments: dict[tuple[int, int], int] = {}
    return [
        (
            keyword,
            item,
            clicks,
            session,
            kind,
            user,
            moments.setdefault((user, session), time + 60_000 * (session // 2)),
            "USER_INPUT",
            "2023-05-31 00:00:00",
        )
        for user, session, keyword, time, results in sessions
        for item, clicks, kind in results
    ]


def write(folder: Path, rec: list, sessions: list, items: list) -> Path:
    for name, fields, rows in (
        ("rec_inter.csv", REC_FIELDS, rec),
        ("src_inter.csv", SEARCH_FIELDS, search_rows(sessions)),
        ("item_features.csv", ITEM_FIELDS, items),
    ):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(fields)
            out.writerows(rows)
    return folder


def read(folder: Path, columns: tuple[str, ...] = (), **rules: Any) -> Source:
    files = {kind: folder / name for kind, name in FILES.items() if (folder / name).exists()}
    return READER.read(files, READER.rules(**rules), Wanted(columns, None, Cleaning()))


def card(folder: Path, **changes: Any) -> Path:
    """Write a card beside the files of a folder."""
    files = {kind: {"name": name} for kind, name in FILES.items() if (folder / name).exists()}
    values = {"name": "mine", "format": "kuaisar", "files": files, "split": SPLIT}
    values |= dict.fromkeys(("description", "source", "licence", "citation"), "mine")
    (folder / "card.yaml").write_text(yaml.safe_dump(values | changes), encoding="utf-8")
    return folder


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(REC_ROWS, SESSIONS, ITEM_ROWS, RULES)
def test_rows_and_catalogue_are_those_of_the_reference(
    rec: list, sessions: list, items: list, rules: dict
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = write(Path(place), rec, sessions, items)
        expected = slow.read(folder, rules, COLUMNS)
        try:
            source = read(folder, COLUMNS, **rules)
        except InputError as error:
            no_query = not any(slow._words(keyword) for _, _, keyword, _, _ in sessions)
            no_item = not {str(i[0]) for i in items} & {*expected.catalogue}
            assert (not expected.events) or no_query or no_item, error
            return
    assert rows_of(source) == Counter(expected.rows)
    texts = [source.items.columns[name].to_pylist() for name in COLUMNS]
    ids = source.items.ids.to_pylist()
    found = {i: dict(zip(COLUMNS, t, strict=True)) for i, *t in zip(ids, *texts, strict=True)}
    assert found == expected.catalogue
    assert len(ids) == len(found)
    asked = source.inter.queries.to_pylist()
    assert sorted(asked) == sorted({row.words for row in expected.rows} - {None})


SPLITS = (
    SPLIT,
    SPLIT,
    {"name": "days"},
    {**SPLIT, "both_before": True},
    {"name": "leave-one-out"},
    {"name": "leave-one-out", "leakage": "paper"},
    {"name": "temporal"},
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(REC_ROWS, SESSIONS, ITEM_ROWS, RULES, settings_of(SPLITS), st.booleans())
def test_whatever_the_card_says_requests_are_those_of_the_definition(
    rec: list, sessions: list, items: list, rules: dict, fields: dict, strict: bool
) -> None:
    with tempfile.TemporaryDirectory() as place:
        sessions = [(1, 1, "[9]", MIDNIGHT, [(10, 1, "VIDEO"), (12, 0, "VIDEO")]), *sessions]
        items = [(10, "[1]", "", "1", ""), *items]
        folder = write(Path(place), ALWAYS + rec, sessions, items)
        expected = slow.read(folder, rules)
        own = {what: value for what, value in fields.items() if what != "seen"}
        card(folder, rules=rules, strict=strict, text=["caption"], **own)
        kept = [item for item in items if str(item[0]) in expected.catalogue]
        odd = (
            any(not slow._words(keyword) for _, _, keyword, _, _ in sessions)
            or len({item[0] for item in kept}) < len(kept)
            or any(item[1] in NO_LISTS for item in kept)
        )
        if not expected.events or (strict and odd):
            with pytest.raises(InputError, match=r"leave no event|'strict' out"):
                load_dataset(folder, cache=folder / "cache")
            return
        ids = [*expected.catalogue]
        dataset = check_card(folder, expected.rows, ids, {**fields, "strict": strict})
        if dataset is not None and fields["split"].get("leakage") != "paper":
            assert audit(dataset).ok


TINY = replace(FULL.scaled(2e-5), users=12, hours=72.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("kuaisar") / "files", TINY)


@pytest.fixture
def small(folder: Path, tmp_path: Path) -> Path:
    """A copy of the generated files that a test may spoil."""
    for name in FILES.values():
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    return tmp_path


def test_generated_files_have_the_counts_that_they_claim(folder: Path) -> None:
    rec, search = (slow._lines(folder / FILES[kind]) for kind in ("rec", "search"))
    assert (len(rec), len(search)) == (TINY.rec_rows, TINY.search_rows)
    assert len({row["keyword"] for row in search}) == TINY.queries
    assert len({row["item_id"] for row in rec}) == TINY.rec_items
    assert len({row["item_id"] for row in search}) == TINY.search_items
    both = {row["item_id"] for row in (*rec, *search)}
    listed = {row["item_id"] for row in slow._lines(folder / FILES["items"])}
    assert both == listed
    assert len(listed) == TINY.items
    assert list(rec[0]) == REC_FIELDS
    assert list(search[0]) == SEARCH_FIELDS


@pytest.mark.parametrize(("keep", "drop"), [(100_000, 7), (3_000_000, 3)])
def test_every_number_below_occurs_whatever_the_parts(keep: int, drop: int) -> None:
    tokens = _tokens(np.arange(0, keep, drop, dtype=np.int64), 4)
    assert len(tokens.unique()) == len(tokens)


def test_the_archive_says_what_its_files_say(folder: Path, tmp_path: Path) -> None:
    packed = write_zip(tmp_path / "KuaiSAR.zip", folder)
    archive = READER.read({"archive": packed}, READER.rules(), Wanted(COLUMNS))
    unpacked = read(folder, COLUMNS)
    assert rows_of(archive) == rows_of(unpacked)
    assert archive.items.ids.equals(unpacked.items.ids)
    assert archive.items.columns["caption"].equals(unpacked.items.columns["caption"])
    last = len(archive.inter.row) - 1
    path, line = archive.inter.where(last)
    assert (path.name, line) == (FILES["search"], unpacked.inter.where(last)[1])


def test_a_row_is_found_again_by_its_line(folder: Path) -> None:
    inter = read(folder).inter
    for event in (0, len(inter.row) // 2, len(inter.row) - 1):
        path, line = inter.where(event)
        row = slow._lines(path)[line - 2]
        user, item = (
            ids[int(code[event])].as_py()
            for ids, code in ((inter.users, inter.user), (inter.items, inter.item))
        )
        assert (row["user_id"], row["item_id"]) == (user, item)


def test_batches_do_not_show(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read(folder, COLUMNS)
    monkeypatch.setattr(csv_batches, "_BLOCK", 2000)
    parts = read(folder, COLUMNS)
    assert rows_of(parts) == rows_of(whole)
    assert parts.items.columns["caption"].equals(whole.items.columns["caption"])
    assert parts.queries is not None
    assert len(parts.queries.ids) == len(set(parts.queries.ids.to_pylist()))


SPOILT = {
    "an id that is none": ("rec", 5, lambda s: "x" + s, r"rec_inter\.csv:5: user_id 'x.*whole num"),
    "a fractional id": ("rec", 3, lambda s: "1.5" + s, r"rec_inter\.csv:3: user_id '1\.5"),
    "a time that is none": (
        "search",
        4,
        lambda s: re.sub(r",16\d+,", ",soon,", s),
        r"src_inter\.csv:4: search_session_timestamp 'soon' is not a number",
    ),
    "a cell too few": ("rec", 9, lambda s: s.rpartition(",")[0], r":9: 11 fields where .* 12"),
    "a cell too many": ("search", 9, lambda s: s + ",1", r"src_inter\.csv:9: 10 fields where .* 9"),
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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"files": {"rec": {"name": "r"}}}, "files must name 'search', or 'archive'"),
        ({"files": {"archive": {"name": "a"}, "rec": {"name": "r"}}}, "holds the others"),
        ({"rules": {"positive": {}}}, "name at least one of click, like"),
        ({"rules": {"positive": {"klick": 1}}}, "rules.positive.klick"),
        ({"rules": {"item_types": []}}, "name at least one type"),
        ({"rules": {"clickles": "drop"}}, "did you mean 'clickless'"),
        ({"rules": {"core": {"users": 5}}}, "did you mean 'user'"),
        ({"split": {"name": "days", "zone": "Asia/Peking"}}, "no time zone"),
        ({"split": {"name": "temporal", "zone": "Asia/Shanghai"}}, "knows no days"),
        ({"grade": "click"}, "grades events by its rules"),
    ],
)
def test_a_wrong_card_says_what_is_meant(small: Path, changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        load_dataset(card(small, **changes))


def test_rules_tell_what_they_leave_out(small: Path) -> None:
    told = "\n".join(
        read(small, item_types=["VIDEO"], most_clicks=1, core={"user": 3, "item": 1}).notes
    )
    for part in (
        "rows are of other item types than VIDEO",
        "beyond the first 1 of their search",
        "core of 3 events a user and 1 an item",
        "deliveries: ",
        "searches: ",
    ):
        assert part in told


def test_the_rules_of_unisar_on_the_page_are_rules_that_hold(small: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "data" / "kuaisar.md"
    block = page.read_text(encoding="utf-8").split("## UniSAR")[1].split("```yaml")[1]
    said = yaml.safe_load(block.split("```")[0])
    write_zip(small / said["files"]["archive"]["name"], small)
    said["rules"]["core"]["item"] = 1  # few items of this size have 5 events
    dataset = load_dataset(card(small, **said))
    log = dataset.log
    assert np.bincount(log.user).min() >= said["rules"]["core"]["user"]
    searches = log.rows_of_kind[EventSource.SEARCHED]
    pairs = np.stack([log.user[searches], log.session[searches], log.query[searches]])
    assert np.unique(pairs, axis=1, return_counts=True)[1].max() <= 5
    assert all("given" not in each.lists for each in dataset.evaluation.values())


@pytest.mark.parametrize("name", ["kuaisar", "kuaisar-small"])
def test_a_published_card_reads_an_archive_of_its_name(
    name: str, folder: Path, tmp_path: Path
) -> None:
    text = (cards_folder() / name / "card.yaml").read_text(encoding="utf-8")
    (tmp_path / "card.yaml").write_text(text, encoding="utf-8")
    write_zip(tmp_path / yaml.safe_load(text)["files"]["archive"]["name"], folder)
    dataset = load_dataset(tmp_path)
    assert dataset.about.split == "days"
    for task in Task:
        evaluation = dataset.evaluation["test", task]
        assert len(evaluation.asked("given"))
    assert audit(dataset).ok
