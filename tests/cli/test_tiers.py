from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.statistics import tiers

from .conftest import Command, assert_refused


def _write(file: Path, systems: int = 5, seeds: int = 3, items: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    base = rng.random(items)
    rows = [
        (f"system {place}", f"q{item}", seed, base[item] + 0.1 * place + rng.normal(0, 0.1))
        for place in range(systems)
        for seed in range(seeds)
        for item in range(items)
    ]
    frame = pd.DataFrame(rows, columns=["system", "item", "seed", "score"])
    frame.to_csv(file, index=False)
    return frame


def test_the_command_says_what_the_library_says(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    expected = tiers(_write(file))
    done = command("tiers", file, "--json")
    assert (done.status, done.err) == (0, "")
    assert done.json["question"] == "recipes"
    systems = {each["system"]: each for each in done.json["systems"]}
    assert [systems[name]["letters"] for name in expected.names] == expected.letters
    assert [systems[name]["rank_low"] for name in expected.names] == expected.rank_low
    assert [systems[name]["rank_high"] for name in expected.names] == expected.rank_high
    assert [each["system"] for each in done.json["systems"]] == [
        expected.names[place] for place in expected.order
    ]
    assert len(done.json["pairs"]) == 10
    for found, pair in zip(done.json["pairs"], expected.pairs, strict=True):
        assert (found["a"], found["b"]) == (expected.names[pair.a], expected.names[pair.b])
        assert found["p_corrected"] == pytest.approx(pair.p_corrected)
        assert found["wins"] + found["ties"] + found["losses"] == 80


def test_what_is_printed_fits_a_terminal(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    expected = tiers(_write(file, systems=30))
    done = command("tiers", file)
    assert done.status == 0
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= 80
    for place, i in enumerate(expected.order):
        assert expected.names[i] in lines[place + 1]
        low, high = expected.rank_low[i], expected.rank_high[i]
        assert (f"{low}-{high}" if low < high else str(low)) in lines[place + 1].split()
    # The best system wins more items of the second than it loses.
    first, second = expected.order[:2]
    pair = next(p for p in expected.pairs if {p.a, p.b} == {first, second})
    wins = (pair.wins, pair.losses) if pair.a == first else (pair.losses, pair.wins)
    matrix = lines[next(n for n, line in enumerate(lines) if "Units (items" in line) + 3 :]
    cells = [line.replace("!", " ").split() for line in matrix]
    assert (cells[0][2], cells[1][1]) == (str(wins[0]), str(wins[1]))


def test_the_questions_differ(command: Command, tmp_path: Path) -> None:
    _write(tmp_path / "scores.csv")
    wide = command("tiers", "scores.csv", "--json").json
    narrow = command("tiers", "scores.csv", "--json", "--narrow").json
    assert (wide["question"], narrow["question"]) == ("recipes", "requests")
    assert "other trainings" in command("tiers", "scores.csv").out
    assert "these very trainings" in command("tiers", "scores.csv", "--narrow").out


def test_one_training_is_marked(command: Command, tmp_path: Path) -> None:
    frame = _write(tmp_path / "all.csv")
    kept = frame[(frame["system"] != "system 2") | (frame["seed"] == 1)]
    kept.to_csv(tmp_path / "scores.csv", index=False)
    done = command("tiers", "scores.csv")
    assert "1*" in done.out and "* one training" in done.out


def test_parquet_is_read_too(command: Command, tmp_path: Path) -> None:
    _write(tmp_path / "scores.csv").to_parquet(tmp_path / "scores.parquet")
    assert command("tiers", "scores.parquet").out == command("tiers", "scores.csv").out


HEADER = "system,item,score\n"
BAD = {
    "scores.csv: No such file": None,
    "the file is empty": "",
    "there are no rows": HEADER,
    "separated by semicolons; they must be by commas": "system;item;score\na;x;1\n",
    "no column 'item'": "system,score\na,1\n",
    "line 3, saw 4": HEADER + "a,x,1\nb,x,1,9\n",
    "more fields than the header": HEADER + "a,x,1,9\nb,x,1,9\n",
    "line 4: score 'nan'": HEADER + "a,x,1\n\na,y,nan\n",
    "line 3: score ''": HEADER + "a,x,1\na,y\n",
    "line 2: no item": HEADER + "a,,1\n",
    "line 4: system 'a', item 'x' was there before, in line 2": HEADER + "a,x,1\nb,x,1\na,x,1\n",
    "system 'b' has no score of item 'y'": HEADER + "a,x,1\na,y,1\nb,x,1\n",
    "not 'a'": HEADER + "a,x,1\na,y,1\n",
    "UTF-16; save it as UTF-8": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_one_line(command: Command, tmp_path: Path, message: str) -> None:
    text = BAD[message]
    if text is not None:
        file = tmp_path / "scores.csv"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    done = command("tiers", "scores.csv")
    assert_refused(done)
    assert message in done.err and "scores.csv: " in done.err


def test_a_name_that_looks_like_nothing_is_a_name(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    file.write_text(HEADER + "NA,001,1\nNA,1,0.5\nnull,001,0\nnull,1,0.25\n", encoding="utf-8")
    found = command("tiers", file, "--json").json
    assert [each["system"] for each in found["systems"]] == ["NA", "null"]
    assert found["units"] == 2
