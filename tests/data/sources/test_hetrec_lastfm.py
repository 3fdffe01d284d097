"""Last.fm's reader gives what a slow reading of the same files gives, for every rule of a card."""

from __future__ import annotations

import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.popularity import Popularity
from benchmark.data.audit import audit
from benchmark.data.dataset import Dataset
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.errors import InputError
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import TrainingContext
from benchmark.testing import seen_mask
from tests.data.generated.lastfm import write_hypersar, write_lastfm
from tests.data.sources.lastfm_reference import Event, hypersar_rows, joint_events, requests_of

PARTS = ("training", "validation", "test")


def _load(folder: Path, card: dict, told: list[str] | None = None, **rules: object) -> Dataset:
    card = {**card, "rules": {**card.get("rules", {}), **rules}}
    (folder / "card.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
    notify = (lambda line: None) if told is None else told.append
    return load_dataset(folder, cache=folder / "cache", notify=notify, seen="keep")


def _events(data: Dataset, rows: np.ndarray) -> list[Event]:
    log, words = data.log, data.queries.texts
    return [
        (
            data.users[log.user[r]],
            data.items.ids[log.item[r]],
            words[q] if (q := log.query[r]) >= 0 else None,
        )
        for r in rows
    ]


def _asked(data: Dataset, part: str, task: Task) -> list[tuple]:
    """Return user, query and relevant items of each request."""
    asked = data.evaluation.get((part, task))
    if asked is None:
        return []
    relevant = defaultdict(list)
    for request, item in zip(asked.relevant.request, asked.relevant.item, strict=True):
        relevant[request].append(data.items.ids[item])
    return sorted(
        (
            (
                data.users[user],
                data.queries.texts[q] if q >= 0 else None,
                tuple(sorted(relevant[i])),
            )
            for i, (user, q) in enumerate(
                zip(asked.requests.user, asked.requests.query, strict=True)
            )
        ),
        key=repr,
    )


def _parts(data: Dataset) -> dict[str, set[Event]]:
    """Return the events of each part, as the loaded set itself has them."""
    found: dict[str, set[Event]] = {name: set() for name in PARTS}
    log = data.train.log
    words = data.train.queries.texts
    for user, item, q in zip(log.user, log.item, log.query, strict=True):
        found["training"].add(
            (data.users[user], data.items.ids[item], words[q] if q >= 0 else None)
        )
    for part in PARTS[1:]:
        for task in Task:
            for user, query, artists in _asked(data, part, task):
                found[part] |= {(user, artist, query) for artist in artists}
    return found


def _check_histories(data: Dataset, parts: dict[str, set[Event]]) -> None:
    """A validation request knows all that trains of its user; a test request what validates too."""
    for (part, _), asked in data.evaluation.items():
        known = parts["training"] | (parts["validation"] if part == "test" else set())
        offsets, rows = asked.requests.history_rows()
        for i, user in enumerate(asked.requests.user):
            own = Counter(e for e in known if e[0] == data.users[user])
            assert Counter(_events(data, rows[offsets[i] : offsets[i + 1]])) == own
        assert (asked.relevant.gain == 1).all()
        assert set(asked.lists) == {"sampled"}


joint_rules = st.fixed_dictionaries(
    {},
    optional={
        "validation": st.sampled_from([0.0, 0.1, 0.25]),
        "test": st.sampled_from([0.1, 0.2, 0.34]),
        "seed": st.integers(0, 2**63 - 1),
        "min_users": st.integers(1, 4),
        "nameless": st.sampled_from(["keep", "drop"]),
    },
)


@given(st.integers(0, 2**32), st.integers(2, 8), st.integers(10, 24), joint_rules)
@settings(max_examples=15, deadline=None)
def test_the_joint_protocol_is_that_of_a_slow_reading(
    seed: int, users: int, artists: int, rules: dict
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        card = write_lastfm(Path(folder), users, artists, 8, seed)
        chosen = {k: rules[k] for k in ("min_users", "nameless") if k in rules}
        expected = joint_events(Path(folder), **chosen)
        try:
            data = _load(Path(folder), card, **rules)
        except InputError as error:
            assert not expected, error
            return
        parts = _parts(data)
        assert (
            set().union(*parts.values()) == expected == set(_events(data, np.arange(len(data.log))))
        )
        assert sum(map(len, parts.values())) == len(expected) == len(data.log)
        held = defaultdict(lambda: dict.fromkeys(PARTS, 0))
        pairs = {part: {(u, a) for u, a, _ in parts[part]} for part in PARTS}
        for part in PARTS:
            for user, _ in pairs[part]:
                held[user][part] += 1
        shares = [rules.get("validation", 0.2) * sum(each.values()) for each in held.values()]
        if not any(int(share + 1e-9) for share in shares):
            return  # what validates then is the split's affair
        for counts in held.values():
            total = sum(counts.values())
            for part, default in (("validation", 0.2), ("test", 0.2)):
                assert counts[part] == int(rules.get(part, default) * total + 1e-9)
        assert not pairs["training"] & pairs["test"]
        assert not pairs["training"] & pairs["validation"]
        assert not pairs["validation"] & pairs["test"]
        for part in PARTS[1:]:
            wanted = requests_of(parts[part], alone=False)
            for task in Task:
                assert _asked(data, part, task) == wanted[str(task)]
        _check_histories(data, parts)
        assert audit(data).ok


@given(st.integers(0, 2**32), st.integers(2, 8), st.sampled_from(["ask", "train"]))
@settings(max_examples=10, deadline=None)
def test_hypersars_folder_is_that_of_a_slow_reading(seed: int, users: int, valid: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        card = write_hypersar(Path(folder), users, 16, seed)
        rows = hypersar_rows(Path(folder))
        if not all(rows.values()):
            with pytest.raises(InputError, match="holds no rows"):
                _load(Path(folder), card, valid=valid)
            return
        data = _load(Path(folder), card, valid=valid)
        parts = _parts(data)
        if valid == "ask":
            assert parts == {
                "training": rows["train"],
                "validation": rows["valid"],
                "test": rows["test"],
            }
        else:  # some of both is kept for validation
            assert parts["training"] | parts["validation"] == rows["train"] | rows["valid"]
            assert parts["test"] == rows["test"]
        for part in PARTS[1:]:
            wanted = requests_of(parts[part], alone=True)
            for task in Task:
                assert _asked(data, part, task) == wanted[str(task)]
        if valid == "ask":
            _check_histories(data, parts)
        assert audit(data).ok


def _large(folder: Path, **rules: object) -> Dataset:
    return _load(folder, write_lastfm(folder, users=60, artists=60, seed=4), **rules)


def test_another_seed_holds_out_other_artists(tmp_path: Path) -> None:
    one, same, other = (
        _parts(_large(tmp_path / name, seed=seed))["test"]
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert one == same
    assert 0.05 < len(one & other) / len(one) < 0.5


def test_the_order_of_lines_changes_nothing(tmp_path: Path) -> None:
    one = _large(tmp_path / "a")
    card = write_lastfm(tmp_path / "b", users=60, artists=60, seed=4)
    rng = np.random.default_rng(1)
    for file in (tmp_path / "b").glob("*.dat"):
        head, *rows = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(head + b"".join(rows[i] for i in rng.permutation(len(rows))))
    other = _load(tmp_path / "b", card)
    assert _parts(one) == _parts(other)
    for name in ("user", "item", "time", "query", "session"):
        assert np.array_equal(getattr(one.log, name), getattr(other.log, name))
    assert one.candidates_digest == other.candidates_digest


def test_another_users_events_do_not_move_mine(tmp_path: Path) -> None:
    one = _parts(_large(tmp_path / "a", min_users=1))["test"]
    card = write_lastfm(tmp_path / "b", users=60, artists=60, seed=4)
    for name in ("user_artists", "user_taggedartists"):
        file = tmp_path / "b" / f"{name}.dat"
        kept = [r for r in file.read_bytes().splitlines(keepends=True) if not r.startswith(b"7\t")]
        file.write_bytes(b"".join(kept))
    other = _parts(_load(tmp_path / "b", card, min_users=1))["test"]
    assert other == {event for event in one if event[0] != "7"} != one


def test_every_artist_is_as_likely_to_be_held_out(tmp_path: Path) -> None:
    """A lot that leaned to an artist or a user would show in counts far from one in five."""
    data = _load(tmp_path, write_lastfm(tmp_path, users=300, artists=60, seed=5), min_users=1)
    parts = _parts(data)
    tested, all_of = Counter(), Counter()
    for part, events in parts.items():
        for _, artist in {(u, a) for u, a, _ in events}:
            all_of[artist] += 1
            tested[artist] += part == "test"
    shares = np.array([tested[a] / all_of[a] for a in all_of if all_of[a] > 50])
    assert len(shares) > 30
    expected = sum(tested.values()) / sum(all_of.values())
    # 60 artists, over 50 pairs each: five standard deviations.
    assert np.abs(shares - expected).max() < 5 * np.sqrt(expected * (1 - expected) / 50)


def test_what_is_odd_in_the_files_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    card = write_lastfm(tmp_path, users=60, artists=60, tags=60, seed=4)
    data = _load(tmp_path, card, told)
    assert any("dated 1956" in line for line in told)
    assert any("typed by fewer than 2 users" in line for line in told)
    assert any("have no name" in line for line in told)
    titles = dict(zip(data.items.ids, data.items.titles, strict=True))
    assert titles["7"] == "Band 7 \u0416"
    assert titles["8"] == 'The "8"'
    assert titles["59"] == "59"
    assert "fran\xe7ais" in data.queries.texts


def test_tags_are_read_in_latin_1_or_utf_8(tmp_path: Path) -> None:
    one = _large(tmp_path / "a")
    card = write_lastfm(tmp_path / "b", users=60, artists=60, seed=4)
    file = tmp_path / "b" / "tags.dat"
    file.write_bytes(file.read_bytes().decode("latin-1").encode("utf-8"))
    assert _parts(_load(tmp_path / "b", card)) == _parts(one)


Change = Callable[[bytes], bytes]


def _line(number: int, text: bytes) -> Change:
    def change(data: bytes) -> bytes:
        rows = data.split(b"\n")
        rows[number - 1] = text
        return b"\n".join(rows)

    return change


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("tags.dat", lambda b: b"", r"tags\.dat: the file is empty"),
        ("tags.dat", lambda b: b"tagID\ttagValue\n", r"tags\.dat: the file holds no rows"),
        ("tags.dat", lambda b: b.replace(b"tagValue", b"tag"), r"tags\.dat:1: .*no header"),
        (
            "user_artists.dat",
            lambda b: b"\x1f\x8b" + b,
            r"user_artists\.dat:1: the gzip file is damaged",
        ),
        ("user_artists.dat", lambda b: b.replace(b"\t", b","), r"user_artists\.dat:1: .*no header"),
        ("user_artists.dat", _line(3, b"2\t\0\t1"), r"user_artists\.dat:3: .*NUL"),
        (
            "user_artists.dat",
            _line(3, b"2\t" + b"9" * 2**21),
            r"user_artists\.dat:3: .*longer than",
        ),
        ("user_taggedartists.dat", None, r"user_taggedartists\.dat: no such file"),
    ],
)
def test_a_broken_file_is_one_line(
    file: str, change: Change | None, message: str, tmp_path: Path
) -> None:
    card = write_lastfm(tmp_path)
    path = tmp_path / file
    path.write_bytes(change(path.read_bytes())) if change else path.unlink()
    with pytest.raises(InputError, match=message) as error:
        _load(tmp_path, card)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("user_artists.dat", b"2\t3", r"user_artists\.dat:3: 2 fields in place of 3, .* \(1 of"),
        (
            "user_taggedartists.dat",
            b"2\t3\t1\t1\t1\tMay",
            r"year 'May' is not a whole number .* \(1 of",
        ),
        ("user_taggedartists.dat", b"2\t3\t999\t1\t1\t2009", r"tagID '999' has no words .* \(1 of"),
    ],
)
def test_a_broken_row_is_counted_or_refused(
    file: str, text: bytes, message: str, tmp_path: Path
) -> None:
    card = write_lastfm(tmp_path)
    path = tmp_path / file
    path.write_bytes(_line(3, text)(path.read_bytes()))
    told: list[str] = []
    _load(tmp_path, card, told)
    assert sum(bool(re.search(message, line)) for line in told) == 1
    with pytest.raises(InputError, match=message):
        _load(tmp_path, {**card, "strict": True})


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("data_size.txt", lambda b: b"3\t30\n", r"data_size\.txt:1: 3 users"),
        (
            "item_dict.txt",
            lambda b: b.replace(b"\t3\n", b"\t2\n"),
            r"item_dict\.txt:\d+: the numbers",
        ),
        (
            "train.txt",
            _line(2, b'0\t30\t"-"'),
            r"train\.txt:2: item_id 30 is not in the dictionary",
        ),
        ("test.txt", lambda b: b.replace(b'"', b""), r""),
    ],
)
def test_a_broken_folder_of_hypersar_is_one_line(
    file: str, change: Change, message: str, tmp_path: Path
) -> None:
    card = write_hypersar(tmp_path)
    path = tmp_path / file
    path.write_bytes(change(path.read_bytes()))
    if not message:  # quotation marks are for whoever writes them
        _load(tmp_path, card)
        return
    with pytest.raises(InputError, match=message):
        _load(tmp_path, card)


def test_files_of_the_other_protocol_are_asked_for(tmp_path: Path) -> None:
    card = write_lastfm(tmp_path)
    with pytest.raises(InputError, match="files must name 'train' for protocol hypersar"):
        _load(tmp_path, card, protocol="hypersar")


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_damaged_bytes_are_read_or_refused_in_one_line(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        card = write_lastfm(Path(folder), users=6)
        path = Path(folder) / data.draw(
            st.sampled_from([f["name"] for f in card["files"].values()])
        )
        raw = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            place = data.draw(st.integers(0, len(raw) - 1))
            end = place + data.draw(st.integers(0, 40))
            raw[place:end] = data.draw(
                st.binary(max_size=8) | st.sampled_from([b"\t", b'"', b"\r"])
            )
        path.write_bytes(bytes(raw))
        try:
            assert audit(_load(Path(folder), card)).ok
        except InputError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("seen", ["exclude", "keep"])
def test_a_card_says_of_which_tasks_known_items_are_left_out(seen: str, tmp_path: Path) -> None:
    card = write_lastfm(tmp_path, users=60, artists=60, seed=4)
    digests = set()
    for tasks in (["rec"], ["rec", "search"], []):
        values = {**card, "exclude_seen": tasks}
        (tmp_path / "card.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        data = load_dataset(tmp_path, cache=tmp_path / "cache", seen=seen)
        model = Popularity()
        model.fit(data.train, HarnessValidation(data, tuple(Task)), TrainingContext(tuple(Task), 1))
        for (_, task), asked in data.evaluation.items():
            left_out = seen == "exclude" and str(task) in tasks
            assert asked.requests.exclude_seen == left_out
            items, _ = model.retrieve(asked.requests, 5)
            known = seen_mask(asked.requests)
            found = np.take_along_axis(known, items, axis=1) & (items >= 0)
            assert found.any() != left_out
        assert audit(data).ok
        digests.add(data.digest)
    assert len(digests) == 3
