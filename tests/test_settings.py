from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmark.errors import InputError, did_you_mean
from benchmark.registry import available
from benchmark.settings import (
    PRESETS,
    build_settings,
    parse_assignment,
    setting,
    settings_from_json,
)
from gensar.settings import TrainingTask


@dataclass(frozen=True)
class _Settings:
    size: int = 8
    rate: float = 0.5
    deep: bool = False
    name: str = "plain"
    kind: Literal["mean", "last", 3] = "mean"
    layers: tuple[int, ...] = (1, 2)
    words: tuple[str, ...] = ()
    limit: int | None = None
    path: str | None = "here"

    def __post_init__(self) -> None:
        if self.size == 13:
            raise ValueError("size 13 brings bad luck")


@dataclass(frozen=True)
class _Proved:
    epochs: int = setting(3, "")
    rate: float = setting(0.5, "", high=1)
    hidden: tuple[int, ...] = setting((8,), "")
    most: int | None = setting(None, "")
    loss: Literal["a", "b"] = setting("a", "")


DEFAULT = _Settings()


def build(*assignments: tuple[str, str], preset: str = "standard") -> Any:
    return build_settings(_Settings, {"quick": {"size": 2, "deep": True}}, preset, assignments)


_WORD = st.text(st.characters(categories=("L", "N")), min_size=1).filter(
    lambda word: word.lower() not in ("none", "null")
)
_ANY = st.builds(
    _Settings,
    size=st.integers().filter(lambda n: n != 13 and abs(n) < 10**18),
    rate=st.floats(allow_nan=False, allow_infinity=False),
    deep=st.booleans(),
    name=st.text().map(str.strip),
    kind=st.sampled_from(["mean", "last", 3]),
    layers=st.lists(st.integers(-9, 9)).map(tuple),
    words=st.lists(_WORD).map(tuple),
    limit=st.none() | st.integers(0, 9),
    path=st.none() | _WORD,
)


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


@given(_ANY)
def test_settings_written_as_text_come_back(wanted: _Settings) -> None:
    written = [f"{f.name}={_text(getattr(wanted, f.name))}" for f in fields(wanted)]
    parsed = [parse_assignment(text) for text in written]
    assert build(*((name, value) for _, name, value in parsed)) == wanted


@given(_ANY)
def test_settings_come_back_from_json(wanted: _Settings) -> None:
    assert settings_from_json(_Settings, json.loads(json.dumps(asdict(wanted)))) == wanted


def test_without_a_word_the_defaults_hold() -> None:
    for preset in PRESETS:
        expected = _Settings(size=2, deep=True) if preset == "quick" else DEFAULT
        assert build(preset=preset) == expected


def test_assignments_come_after_the_preset_and_the_last_counts() -> None:
    assert build(("size", "3"), preset="quick") == _Settings(size=3, deep=True)
    assert build(("size", "3"), ("size", "4")).size == 4


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("size", "-3", -3),
        ("rate", "1", 1.0),
        ("rate", "1e-3", 0.001),
        ("deep", "True", True),
        ("deep", "false", False),
        ("kind", "last", "last"),
        ("kind", "3", 3),
        ("layers", "4, 5,6", (4, 5, 6)),
        ("layers", "", ()),
        ("limit", "none", None),
        ("limit", "NULL", None),
        ("limit", "7", 7),
        ("path", "google-t5/t5-small", "google-t5/t5-small"),
        ("name", "a=b", "a=b"),
    ],
)
def test_a_text_becomes_the_fields_type(name: str, text: str, value: object) -> None:
    found = getattr(build((name, text)), name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("size", "3.5", "'size': '3.5' is not a whole number"),
        ("size", "", "'size': '' is not a whole number"),
        ("size", "none", "'size': 'none' is not a whole number"),
        ("rate", "fast", "'rate': 'fast' is not a finite number"),
        ("rate", "nan", "'rate': 'nan' is not a finite number"),
        ("rate", "-inf", "'rate': '-inf' is not a finite number"),
        ("rate", "1e999", "'rate': '1e999' is not a finite number"),
        ("deep", "1", "'deep': '1' is neither true nor false"),
        ("kind", "meen", "'kind': 'meen'; did you mean 'mean'"),
        ("kind", "zzz", "'kind': 'zzz'; known: 3, last, mean"),
        ("layers", "1,x", "'layers': 'x' is not a whole number"),
        ("limit", "few", "'limit': 'few' is not a whole number"),
        ("siz", "3", "unknown setting 'siz'; did you mean 'size'"),
        ("zzz", "3", "unknown setting 'zzz'; known: deep, kind, .*words"),
        ("size", "13", "size 13 brings bad luck"),
    ],
)
def test_a_text_that_does_not_fit_names_the_field(name: str, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build((name, text))


@given(st.sampled_from([f.name for f in fields(_Settings)]), st.text())
def test_any_text_is_refused_by_its_fields_name_or_can_be_recorded(name: str, text: str) -> None:
    try:
        found = build((name, text))
    except InputError as error:
        assert name in str(error)
    else:
        json.dumps(asdict(found), allow_nan=False)


def test_a_model_without_settings_says_so() -> None:
    @dataclass(frozen=True)
    class Nothing:
        pass

    with pytest.raises(InputError, match="this model has no settings"):
        build_settings(Nothing, {}, "standard", [("a", "1")])


def test_an_unknown_preset_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown preset 'quik'; did you mean 'quick'"):
        build(preset="quik")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("size=3", (None, "size", "3")),
        (" size = 3 ", (None, "size", "3")),
        ("m.size=3", ("m", "size", "3")),
        ("recbole:NARM.size=3", ("recbole:NARM", "size", "3")),
        ("a.b.size=3", ("a.b", "size", "3")),
        ("size=a=b.c", (None, "size", "a=b.c")),
        ("size=", (None, "size", "")),
    ],
)
def test_an_assignment_is_split(text: str, parts: tuple) -> None:
    assert parse_assignment(text) == parts


@pytest.mark.parametrize("text", ["size", "=3", "", " =3", "m.=3", ".size=3"])
def test_what_is_no_assignment_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="NAME=VALUE"):
        parse_assignment(text)


@pytest.mark.parametrize("name", sorted(available()))
def test_every_preset_of_every_model_is_valid_and_documented(name: str) -> None:
    kind = available()[name].load()
    assert set(kind.presets) <= set(PRESETS)
    for preset in PRESETS:
        settings = build_settings(kind.Settings, kind.presets, preset)
        written = json.loads(json.dumps(asdict(settings), allow_nan=False))
        assert settings_from_json(kind.Settings, written) == settings
    assert all(f.metadata.get("doc") for f in fields(kind.Settings))


@pytest.mark.parametrize("name", sorted(available()))
def test_no_number_below_its_bound_is_taken(name: str) -> None:
    kind = available()[name].load()
    for each in fields(kind.Settings):
        default = getattr(kind.Settings(), each.name)
        if isinstance(default, (int, float)) and not isinstance(default, bool):
            with pytest.raises(InputError, match=f"setting '{each.name}': -1"):
                build_settings(kind.Settings, {}, "standard", [(each.name, "-1")])


@pytest.mark.parametrize(
    ("model", "setting", "value"),
    [
        ("sasrec", "width", "0"),
        ("sasrec", "heads", "3"),
        ("sasrec", "dropout", "1.5"),
        ("unisar", "heads", "7"),
        ("gensar", "beams", "0"),
        ("gensar", "rqvae_hidden", "16,0"),
        ("gensar", "without", ",".join(get_args(TrainingTask))),
        ("recbole:SASRec", "width", "0"),
        ("bm25", "b", "1.1"),
        ("bm25", "language", "klingon"),
        ("bm25", "stop_words", "xx"),
    ],
)
def test_values_that_no_model_could_work_with_are_refused(
    model: str, setting: str, value: str
) -> None:
    kind = available()[model].load()
    with pytest.raises(InputError, match=f"'{'width' if setting == 'heads' else setting}'"):
        build_settings(kind.Settings, kind.presets, "standard", [(setting, value)])


def test_levels_of_an_identifier_cannot_all_be_taken_away() -> None:
    kind = available()["gensar"].load()
    none = [("shared_levels", "0"), ("specific_levels", "0")]
    with pytest.raises(InputError, match="no level is left"):
        build_settings(kind.Settings, kind.presets, "standard", none)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"nosuch": 1}, "unknown setting 'nosuch'"),
        ({"a\x1b[31m": 1}, r"unknown setting 'a\x1b"),
        ({"epochs": "3"}, "setting 'epochs': "),
        ({"epochs": True}, "setting 'epochs': "),
        ({"epochs": 1.5}, "setting 'epochs': "),
        ({"epochs": None}, "setting 'epochs': "),
        ({"epochs": -1}, "setting 'epochs': -1 is not at least 0"),
        ({"rate": float("nan")}, "setting 'rate': "),
        ({"rate": float("inf")}, "setting 'rate': "),
        ({"rate": 2.0}, "setting 'rate': 2.0 is not from 0 to 1"),
        ({"hidden": [1, "2"]}, "setting 'hidden': "),
        ({"hidden": {"a": 1}}, "setting 'hidden': "),
        ({"loss": "other"}, "setting 'loss': "),
    ],
)
def test_stored_settings_are_proved(values: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as caught:
        settings_from_json(_Proved, values)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_stored_settings_keep_their_values() -> None:
    found = settings_from_json(_Proved, {"rate": 1, "hidden": [4, 5], "most": None, "loss": "b"})
    assert found == _Proved(rate=1, hidden=(4, 5), loss="b")
    assert json.dumps(asdict(found)) == json.dumps(asdict(_Proved(rate=1, hidden=(4, 5), loss="b")))


def test_a_whole_word_of_a_name_is_nearer_than_what_is_spelled_alike() -> None:
    assert did_you_mean("rate", ["patience", "learning_rate", "rqvae_learning_rate"]) == (
        "; did you mean 'learning_rate'?"
    )


@given(name=st.text(max_size=60), known=st.lists(st.text(max_size=2000), max_size=80))
@example(name="keyword", known=["(" * 5000 + "keyword", "item_id"])
@example(name="keyword", known=[f"keyword{'x' * length}" for length in range(60)])
def test_names_of_a_file_are_shown_short_and_in_one_line(name: str, known: list[str]) -> None:
    shown = did_you_mean(name, known)
    assert len(shown) <= 350
    assert shown.isprintable()
