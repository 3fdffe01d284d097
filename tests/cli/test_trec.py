from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from benchmark import registry
from benchmark.data.load import load_dataset
from tests.results.handmade import ENTRIES

from .conftest import Command, assert_refused


@pytest.fixture(autouse=True)
def handmade(monkeypatch: pytest.MonkeyPatch) -> None:
    known = registry.available()
    monkeypatch.setattr(registry, "available", lambda: known | ENTRIES)


@pytest.fixture
def run(command: Command, tiny_folder: Path) -> Path:
    done = command("run", "--model", "gappy", "--dataset", tiny_folder, "--results", "ours")
    assert done.status == 0, done.err
    (file,) = Path("ours").rglob("run.json")
    return file.parent


@pytest.fixture
def importing(command: Command, tiny_folder: Path):
    """Import a file of these bytes."""

    def call(content: bytes, *arguments: object, task: str = "rec", protocol: str = "full"):
        Path("my.run").write_bytes(content)
        options = ["--name", "mine", "--dataset", tiny_folder, "--results", "theirs"]
        asked = ["--task", task, "--protocol", protocol]
        return command("import", "my.run", *options, *asked, *arguments)

    return call


def _files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if "cache" not in p.parts}


def test_a_run_goes_out_and_comes_back_into_one_leaderboard(
    command: Command, run: Path, tiny_folder: Path, importing
) -> None:
    done = command("export", run, "--format", "trec", "--out", "out", "--dataset", tiny_folder)
    assert done.status == 0, done.err
    answers = {f"run.{t}.{p}.txt" for t in ("rec", "search") for p in ("full", "sampled")}
    about = {name for t in ("rec", "search") for name in (f"qrels.{t}.txt", f"requests.{t}.tsv")}
    assert {p.name for p in Path("out").iterdir()} == answers | about
    for name in sorted(answers):
        _, task, protocol, _ = name.split(".")
        content = (Path("out") / name).read_bytes()
        done = importing(content, "--results", "ours", "--json", task=task, protocol=protocol)
        assert done.status == 0, done.err
        assert (done.json["model"], done.json["preset"]) == ("mine", "imported")
        assert "not answered" not in done.err
    shown = command("leaderboard", "--results", "ours", "--dataset", "tiny", "--format", "json")
    boards = [t for t in shown.json["tables"] if t["slice"] == "all"]
    assert len(boards) == 4 * 3
    for table in boards:
        ours, theirs = sorted(table["rows"], key=lambda row: row["model"])
        assert (ours["model"], theirs["model"]) == ("gappy", "mine")
        assert ours["mean"] == theirs["mean"] > 0
        assert theirs["parameters"] is theirs["seconds_per_request"] is None
    assert command("leaderboard", "--results", "ours").status == 0


def test_what_does_not_count_is_told(importing) -> None:
    done = importing(b"rec-0 Q0 i5 1 2.5 x\nrec-0 Q0 i102 2 1 x\n")
    assert done.status == 0
    assert "59 of 60 requests are not answered" in done.err
    assert "1 of 2 listed items are no candidates" in done.err
    assert "mine" in done.out and "imported-s1-" in done.out
    # Where seen items are ranked, the same line names a candidate.
    kept = importing(b"rec-0 Q0 i102 2 1 x\n", "--seen", "keep", "--json")
    assert kept.json["not_candidates"] == 0
    assert kept.json["seen"] == "keep"


def _lines(*rows: tuple[int, str, object, object]) -> bytes:
    return "".join(f"rec-{n} Q0 {i} {rank} {score} x\n" for n, i, rank, score in rows).encode()


ITEMS = ("i5", "i6", "i7")
PLAIN = [(9, item, place, -place) for place, item in enumerate(ITEMS)]
"""A request without a contradiction."""
CONTRADICTIONS = {
    "distances": ([(1, 0.1), (2, 0.2), (3, 0.3)], "scores rise with the rank"),
    "distances from 0": ([(0, 10), (1, 20), (2, 30)], "scores rise with the rank"),
    "ties among distances": ([(1, 0.1), (2, 0.1), (3, 0.3)], "scores rise with the rank"),
    "mixed": ([(1, 3), (2, 1), (3, 2)], "ranks and scores tell different orders"),
    "swapped": ([(0.9, 1), (0.5, 2), (0.2, 3)], "are the two columns swapped?"),
    "equal": ([(1, 7), (2, 7), (3, 7)], "all scores are equal"),
    "one rank": ([(0, 3), (0, 2), (0, 1)], "some items share a rank"),
    "two ranks": ([(1, 3), (1, 2), (2, 1)], "some items share a rank"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_a_file_that_contradicts_itself_is_told_in_one_line_with_counts(
    importing, case: str
) -> None:
    columns, remark = CONTRADICTIONS[case]
    odd = [(n, i, *c) for n in (0, 4) for i, c in zip(ITEMS, columns, strict=True)]
    shuffled = [*odd[::-1], *PLAIN, (2, "i5", 1, 1)]
    done = importing(_lines(*shuffled))
    assert done.status == 0
    told = [line for line in done.err.splitlines() if "with several items" in line]
    assert len(told) == 1 and remark in told[0]
    assert "my.run: in 2 of 3 requests with several items" in told[0]


def test_a_file_without_contradiction_is_not_remarked_upon(importing) -> None:
    tied = [(3, "i5", 1, 2), (3, "i6", 2, 2), (3, "i7", 3, 1)]
    words = [(5, "i5", "first", 2), (5, "i6", "-", 1)]
    done = importing(_lines(*PLAIN, *tied, *words, (2, "i5", 1, 1)))
    assert done.status == 0 and "with several items" not in done.err


MALFORMED = {
    "empty": (b"", "my.run: the file is empty"),
    "blank": (b"\n \n", "my.run: the file is empty"),
    "too few fields": (b"\nrec-0 Q0 i1 1 0.5\n", "my.run:2: 5 fields"),
    "too many fields": (b"rec-0 Q0 i 1 1 0.5 x\n", "my.run:1: 7 fields"),
    "no number": (b"rec-0 Q0 i1 1 abc x\n", "my.run:1: score 'abc' is not a finite number"),
    "NaN": (b"rec-0 Q0 i2 1 1 x\nrec-0 Q0 i1 2 nan x", "my.run:2: score 'nan' is not a finite"),
    "infinity": (b"rec-0 Q0 i1 1 -inf x\n", "my.run:1: score '-inf' is not a finite number"),
    "too large": (b"rec-0 Q0 i1 1 1e999 x\n", "my.run:1: score '1e999' is not a finite number"),
    "grouped digits": (b"rec-0 Q0 i1 1 1_0 x\n", "my.run:1: score '1_0' is not a finite number"),
    "unknown request": (b"rec-60 Q0 i1 1 1 x\n", "'rec-60'; they are rec-0 to rec-59"),
    "another task": (b"search-0 Q0 i1 1 1 x\n", "unknown request id 'search-0'"),
    "padded number": (b"rec-00 Q0 i1 1 1 x\n", "unknown request id 'rec-00'"),
    "unknown item": (b"rec-0 Q0 i120 1 1 x\n", "my.run:1: unknown item 'i120'"),
    "item twice": (
        b"rec-1 Q0 i1 1 3 x\nrec-0 Q0 i1 1 2 x\n\nrec-0 Q0 i2 1 2 x\nrec-0 Q0 i1 2 1 x\n",
        "my.run:5: item 'i1' is already on line 2",
    ),
    "items twice": (
        b"".join(b"rec-%d Q0 i1 1 1 x\n" % n for n in (5, 0, 3, 3, 0, 5)),
        "my.run:4: item 'i1' is already on line 3",
    ),
    "not UTF-8": (b"rec-0 Q0 i1 1 1 x\nrec-0 Q0 i2 1 1 \xff\n", "my.run:2: byte 17 is not UTF-8"),
    "UTF-16": (
        "rec-0 Q0 i1 1 1 x\n".encode("utf-16-le"),
        "my.run: the file is UTF-16; save it as UTF-8",
    ),
    "NUL": (b"rec-0 Q0 i1 1 1 \0\n", "my.run:1: the line holds a NUL byte"),
    "long line": (b"x" * (2**20 + 1), "my.run:1: the line is longer than"),
    "first of two faults": (b"rec-0 Q0 i1 1 x x\nrec-0\n", "my.run:1: score"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_run_file_is_refused_in_one_line(importing, tmp_path: Path, case: str) -> None:
    content, message = MALFORMED[case]
    done = importing(content)
    assert_refused(done)
    assert message in done.err
    assert len(done.err) < 300
    assert _files(tmp_path) == {"my.run"}


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.rstrip(b"\n"),
        lambda text: re.sub(rb" ", rb"\t", text),
        lambda text: b"  " + text.replace(b" ", b"  ").replace(b"\n", b" \n\n"),
    ],
    ids=["BOM", "CRLF", "no last line end", "tabs", "more blanks"],
)
def test_what_is_only_written_differently_is_the_same_run(importing, change) -> None:
    plain = b"rec-0 Q0 i0 1 2.5 x\nrec-7 Q0 i3 1 1 x\n"
    wanted = importing(plain, "--json").json["metrics"]
    done = importing(change(plain), "--json")
    assert done.status == 0, done.err
    assert done.json["metrics"] == wanted


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--name", "popularity"], "--name popularity: is a model of this installation"),
        (["--name", ".hidden"], "--name '.hidden'"),
        (["--name", "../up"], "--name '../up'"),
        (["--name", ""], "--name ''"),
        (["--name", "a" * 151], "150 bytes at most"),
        (["--dataset", "no-such"], "unknown data set 'no-such'"),
        (["--task", "both"], "both"),
        (["--protocol", "none"], "none"),
        (["--seed", "-1"], "-1"),
        (["--results", "my.run"], "my.run"),
    ],
)
def test_bad_usage_of_import_is_refused(
    importing, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = importing(b"rec-0 Q0 i1 1 1 x\n", *arguments)
    assert_refused(done)
    assert message in done.err
    assert _files(tmp_path) == {"my.run"}


@pytest.mark.parametrize("place", ["missing.run", "."])
def test_a_run_file_that_cannot_be_read_is_refused(
    command: Command, tiny_folder: Path, tmp_path: Path, place: str
) -> None:
    asked = ["--name", "mine", "--dataset", tiny_folder, "--task", "rec", "--protocol", "full"]
    assert_refused(command("import", place, *asked))
    assert _files(tmp_path) == set()


def test_a_task_without_requests_is_refused(
    command: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "only"
    folder.mkdir()
    rows = (tiny_folder / "tiny.inter").read_text().splitlines()
    kept = "\n".join("\t".join(row.split("\t")[:3]) for row in rows)
    (folder / "only.inter").write_text(kept + "\n")
    Path("my.run").write_bytes(b"search-0 Q0 i1 1 1 x\n")
    asked = ["--name", "mine", "--dataset", folder, "--task", "search", "--protocol", "full"]
    done = command("import", "my.run", *asked)
    assert_refused(done)
    assert "has no search requests" in done.err


def test_a_damaged_record_is_not_added_to(importing) -> None:
    done = importing(b"rec-0 Q0 i1 1 1 x\n")
    assert done.status == 0
    (file,) = Path("theirs").rglob("run.json")
    file.write_text("{}")
    before = _files(Path("theirs"))
    assert_refused(importing(b"search-0 Q0 i1 1 1 x\n", task="search"))
    assert _files(Path("theirs")) == before
    assert file.read_text() == "{}"


@pytest.mark.parametrize("there", ["file", "folder"])
def test_an_export_writes_over_nothing(
    command: Command, run: Path, tiny_folder: Path, tmp_path: Path, there: str
) -> None:
    out = tmp_path / "out"
    if there == "file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "mine").touch()
    before = _files(tmp_path)
    done = command("export", run, "--out", out, "--dataset", tiny_folder)
    assert_refused(done)
    assert "is there already" in done.err
    assert _files(tmp_path) == before


def test_an_export_needs_a_place(
    command: Command, run: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    before = _files(tmp_path)
    for out in ("no/such/out", "x" * 300):
        assert_refused(command("export", run, "--out", out, "--dataset", tiny_folder))
    assert _files(tmp_path) == before
    (tmp_path / "empty").mkdir()
    done = command("export", run, "--out", "empty", "--dataset", tiny_folder)
    assert done.status == 0, done.err
    assert len(list((tmp_path / "empty").iterdir())) == 8


def test_other_data_than_the_run_saw_is_refused(
    command: Command, run: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "elsewhere" / "tiny"
    other.mkdir(parents=True)
    for file in tiny_folder.iterdir():
        os.link(file, other / file.name)
    (other / "tiny.inter").unlink()
    rows = (tiny_folder / "tiny.inter").read_text()
    (other / "tiny.inter").write_text(rows + "u0\ti1\t5000\t\n")
    assert load_dataset(other).name == "tiny"
    before = _files(tmp_path)
    done = command("export", run, "--out", "out", "--dataset", other)
    assert_refused(done)
    assert "are not those of" in done.err
    assert _files(tmp_path) == before


def test_a_run_without_weights_is_not_exported(
    command: Command, importing, tiny_folder: Path
) -> None:
    importing(b"rec-0 Q0 i1 1 1 x\n")
    (file,) = Path("theirs").rglob("run.json")
    done = command("export", file.parent, "--out", "out", "--dataset", tiny_folder)
    assert_refused(done)
    assert "holds no weights" in done.err
    assert not Path("out").exists()
    assert_refused(command("export", "nowhere", "--out", "out"))


def test_weights_of_another_version_are_refused(
    command: Command, run: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def restore(*_: object) -> None:
        raise KeyError("layer")

    monkeypatch.setattr("tests.results.handmade.Distinct.restore", restore)
    done = command("export", run, "--out", "out", "--dataset", tiny_folder)
    assert_refused(done)
    assert "weights cannot be used: KeyError" in done.err
    assert not Path("out").exists()
