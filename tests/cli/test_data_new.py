"""``data new``: from a company's files to a card, and by one more command to results."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
import yaml

from benchmark.data.card import read_card
from benchmark.data.load import load_dataset
from benchmark.data.sources.tables.rules import TableRules
from tests.data.generated.shop_log import write_shop_log

from .conftest import Command, assert_refused


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_shop_log(tmp_path_factory.mktemp("shop"), users=60)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path / "cache"))


def rules_of(folder: Path) -> TableRules:
    rules = read_card(folder / "card.yaml").rules
    assert isinstance(rules, TableRules)
    return rules


def test_two_commands_lead_from_a_log_to_results(command: Command, log: tuple[Path, Path]) -> None:
    done = command("data", "new", *log)
    assert done.status == 0, done.err
    assert "python -m benchmark run --model popularity,bm25 --dataset events" in done.out
    ran = command("run", "--model", "popularity,bm25", "--dataset", "events", "--json")
    assert ran.status == 0, ran.err
    found = {run["model"]: run["metrics"] for run in ran.json}
    assert (
        found["bm25"]["search"]["full"]["ndcg@10"]
        > 5 * found["popularity"]["search"]["full"]["ndcg@10"]
    )
    assert "analyser: bigrams" in ran.err
    assert "dates (ISO 8601) with a zone" in ran.err


def test_the_guesses_are_right_and_each_has_its_reason(
    command: Command, log: tuple[Path, Path]
) -> None:
    assert command("data", "new", *log, "--name", "shop", "--out", "there/shop").status == 0
    rules = rules_of(Path("there/shop"))
    assert rules.columns.named() == {
        "user": "customer_id",
        "item": "product_id",
        "time": "event_time",
        "query": "search_term",
        "type": "event_type",
    }
    assert {name: each.grade for name, each in rules.events.items()} == {
        "view": 1,
        "add_to_cart": 2,
        "purchase": 3,
    }
    assert rules.session_gap == 1800
    card = read_card(Path("there/shop/card.yaml"))
    assert (card.name, card.title, card.text) == ("shop", "{title}", ("brand",))
    lines = Path("there/shop/card.yaml").read_text(encoding="utf-8").splitlines()
    rows = sum(1 for _ in log[0].open(encoding="utf-8")) - 1
    assert any(f"text separated by commas, {rows:,} rows" in line for line in lines)
    for line in lines:
        if line.startswith("    ") and ":" in line:
            assert "  # " in line, line


@pytest.mark.parametrize("kind", ["parquet", "csv;", "gz"])
def test_other_kinds_of_files_lead_to_the_same_card(
    kind: str, command: Command, log: tuple[Path, Path], tmp_path: Path
) -> None:
    files = []
    for path in log:
        table, file = pacsv.read_csv(path), tmp_path / f"in-{path.name}"
        if kind == "parquet":
            pq.write_table(table, file)
        elif kind == "gz":
            file.write_bytes(gzip.compress(path.read_bytes()))
        else:
            pacsv.write_csv(table, file, pacsv.WriteOptions(delimiter=";"))
        files.append(file)
    assert command("data", "new", *log, "--out", "one").status == 0
    assert command("data", "new", *files, "--out", "two").status == 0
    assert rules_of(Path("one")) == rules_of(Path("two"))
    one, two = (load_dataset(Path(name)) for name in ("one", "two"))
    assert (one.log.item == two.log.item).all()
    assert one.candidates_digest == two.candidates_digest


def test_nothing_is_overwritten_and_nothing_half_written(
    command: Command, log: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "broken").symlink_to("nowhere")
    for out in ("full", "file", "broken"):
        done = command("data", "new", *log, "--out", out)
        assert done.status == 2
        assert done.err.count("\n") == 1
        assert f"--out {out}" in done.err
    assert command("data", "new", *log, "--out", "new").status == 0
    before = (tmp_path / "new" / "card.yaml").read_bytes()
    done = command("data", "new", *log, "--out", "new")
    assert done.status == 2
    assert "never overwritten" in done.err
    assert (tmp_path / "new" / "card.yaml").read_bytes() == before
    assert (tmp_path / "full" / "mine").read_text() == "mine"
    bad = tmp_path / "bad.csv"
    bad.write_text('user_id,item_id\nu,i\n"u,i\n', encoding="utf-8")
    done = command("data", "new", bad)
    assert done.status == 2
    assert not (tmp_path / "bad").exists()
    assert not list(tmp_path.glob(".*"))


def test_files_that_lie_in_the_folder_stay_there(
    command: Command, log: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for path in log:
        (folder / path.name).write_bytes(path.read_bytes())
    done = command("data", "new", folder / "events.csv", folder / "items.csv", "--out", folder)
    assert done.status == 0, done.err
    assert "the data lie beside it" in done.out
    assert sorted(file.name for file in folder.iterdir()) == [
        "card.yaml",
        "events.csv",
        "items.csv",
    ]
    assert len(load_dataset(folder).log)


HOSTILE = ['"; rm -rf /', "a: b # c", "null", "- x", "{y}", "new\nline", "\x1b[31m红", "'"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_names_and_no_yaml(name: str, command: Command, tmp_path: Path) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    rows = "".join(f"u{n % 3},i{n % 5},{quoted},{1_714_521_600 + n}\n" for n in range(60))
    for n in (1, 2):
        rows += f"u{n},i{n},view,{1_714_522_600 + n}\n"
    (tmp_path / "log.csv").write_text(f"user_id,item_id,type,{quoted}\n" + rows, encoding="utf-8")
    done = command("data", "new", tmp_path / "log.csv", "--out", "made")
    if "\n" in name:  # a header over two lines names no columns
        assert done.status == 2
        assert done.err.count("\n") == 1
        return
    assert done.status == 0, done.err
    assert "\x1b" not in done.out + Path("made/card.yaml").read_text(encoding="utf-8")
    rules = rules_of(Path("made"))
    assert rules.columns.time == name
    assert set(rules.events) == {name, "view"}
    assert len(load_dataset(Path("made")).log) == 62


def test_a_table_without_users_is_refused_with_its_columns(
    command: Command, tmp_path: Path
) -> None:
    (tmp_path / "log.csv").write_text("a,b\n1,2\n3,4\n", encoding="utf-8")
    done = command("data", "new", tmp_path / "log.csv")
    assert done.status == 2
    assert "no column can be taken for the user (a, b)" in done.err
    assert not (tmp_path / "log").exists()


def test_what_looks_odd_is_to_be_checked(command: Command, tmp_path: Path) -> None:
    rows = [
        f"u{n % 4},{f'i{n % 9}' if n % 3 else ''},{n},{n % 5 + 1},words of {n},frobnicate{n % 2}"
        for n in range(90)
    ]
    head = "user,item,when,stars,freetext,action\n"
    (tmp_path / "log.csv").write_text(head + "\n".join(rows) + "\n", encoding="utf-8")
    done = command("data", "new", tmp_path / "log.csv")
    assert done.status == 0, done.err
    for said in (
        "33.3% of the events have no item",
        "the times are numbers that no clock shows",
        "'stars' looks like a rating from 1 to 5",
        "'freetext' holds texts and is not used: are those queries?",
        "'frobnicate0', 'frobnicate1' count was not known",
    ):
        assert said in done.out, said


def test_titles_in_two_languages_are_both_read_and_ids_twice_are_told(
    command: Command, tmp_path: Path
) -> None:
    rows = [f"u{n % 7},s{n % 200},{1600000000 + n}" for n in range(600)]
    (tmp_path / "log.csv").write_text("\n".join(["customer,sku,ts", *rows]) + "\n")
    items = [f"s{n},Red kettle {n},Roter Kessel {n},{n}.5" for n in [*range(200), 3]]
    (tmp_path / "goods.csv").write_text("\n".join(["sku,name_en,name_de,price", *items]) + "\n")
    told = command("data", "new", "log.csv", "goods.csv", "--name", "shop").out
    assert "name_en" in told and "name_de" in told
    assert "1 of its values stand there twice" in told
    card = yaml.safe_load((tmp_path / "shop" / "card.yaml").read_text())
    assert {card["title"].strip("{}"), *card["text"]} == {"name_en", "name_de"}


@pytest.mark.parametrize("cells", [["n/a"], ["gestern"] * 40])
def test_a_column_that_is_called_a_time_is_none_in_silence(
    command: Command, tmp_path: Path, cells: list[str]
) -> None:
    times = [*cells, *(f"2024-05-01T09:{n:02d}:00" for n in range(40 - len(cells)))]
    rows = [f"u{n % 4},i{n % 7},{time}\n" for n, time in enumerate(times)]
    (tmp_path / "shop.csv").write_text("".join(["user,item,event_time\n", *rows]))
    made = command("data", "new", "shop.csv")
    assert made.status == 0 and "the time 'event_time' is no time" in made.out
    assert "until then nothing runs" in made.out
    assert_refused(command("run", "--model", "popularity", "--dataset", "shop"))
