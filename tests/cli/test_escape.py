"""Hostile texts in data, cards, records, files and arguments, through every command.

Whatever the command says of them, in a table, in JSON, in a file or in an error, holds nothing that
a terminal acts on, and what is to be read stands there as it is.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from unicodedata import category
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from benchmark import registry
from benchmark.cli.app import app
from benchmark.plain_text import plain
from tests.cli.coded import ENTRIES, IDENTIFIERS
from tests.hostile import CELLS, NAMED, control_characters, spaces, write_hostile
from tests.results.signing import change_info

from .conftest import Command, Done

ALL = "\n".join(NAMED.values())
ARGUMENT = " ".join(NAMED.values()).replace("\0", "").replace("/", "")
"""All in one text that can be an argument of a program."""
WIDTHS = (None, 80, 40)


@pytest.fixture(scope="module")
def surroundings(
    tmp_path_factory: pytest.TempPathFactory, shared_cache: Path
) -> Iterator[tuple[Path, Path]]:
    """A hostile data set, and the folder of runs on it."""
    data = write_hostile(
        tmp_path_factory.mktemp("cards") / "hostile",
        **dict.fromkeys(("description", "source", "licence", "citation"), ALL),
    )
    results = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        known = registry.known()
        able = {n: e for n, e in ENTRIES.items() if not e.obstacle}
        patch.setattr(registry, "available", lambda: known | able)
        patch.setattr(registry, "known", lambda: known | ENTRIES)
        patch.setenv("BENCHMARK_CACHE", str(shared_cache))
        patch.setenv("BENCHMARK_DATASETS", str(data.parent))
        models = ["--model", "popularity,bm25,coded", "--results", str(results)]
        done = CliRunner().invoke(app, ["run", "--dataset", str(data), *models])
        assert done.exit_code == 0, done.output
        yield data, results


@pytest.fixture(params=WIDTHS, ids=str)
def say(
    command: Command, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Command:
    """Run a command in a terminal of some width, or in none; nothing in what it says acts."""
    for module in ("output", "tiers"):
        monkeypatch.setattr(f"benchmark.cli.{module}.terminal_width", lambda: request.param)

    def call(*arguments: object) -> Done:
        done = command(*arguments)
        assert done.status in (0, 2)
        assert control_characters(done.out + done.err) == []
        assert done.status == 0 or done.err.count("error: ") == 1
        return done

    return call


def run_of(results: Path, model: str) -> Path:
    (folder,) = (results / "runs" / "hostile" / model).iterdir()
    return folder


def assert_shown(texts: dict[str, str], shown: str) -> None:
    """Each text stands in what is shown, but for folded blanks."""
    flat = spaces(shown.replace("│", " "))
    lost = [name for name, text in texts.items() if spaces(plain(text)) not in flat]
    assert lost == []


def test_data_and_cards(say: Command, surroundings: tuple[Path, Path]) -> None:
    data, _ = surroundings
    assert say("data", "prepare", data).status == 0
    described = say("data", "describe", data).out
    assert spaces(described).count(spaces(plain(NAMED["link"]))) >= 4
    assert say("data", "audit", data).status == 0
    found = say("data", "describe", data, "--json").json
    assert [found[n] for n in ("description", "source", "licence", "citation")] == [ALL] * 4
    assert say("list", "datasets").status == 0
    assert say("list", "datasets", "--json").json[0]["licence"] == ALL


def test_models(say: Command, surroundings: tuple[Path, Path]) -> None:
    listed = say("list", "models").out
    assert spaces(listed).count(spaces(plain(NAMED["link"]))) >= 1
    assert any(row["summary"] == ENTRIES["coded"].summary for row in say("list", "--json").json)


def test_answers(say: Command, surroundings: tuple[Path, Path]) -> None:
    run = run_of(surroundings[1], "popularity")
    user = CELLS["link"]
    found = say("predict", run, "--user", user, "-k", 1000, "--history", 100, "--json").json
    assert found["user"] == user
    found = found["answers"][0]
    told = {each["item"] for each in (*found["results"], *found["history"])}
    assert told >= set(CELLS.values())
    assert {each["title"] for each in (*found["results"], *found["history"])} >= set(CELLS.values())
    shown = say("predict", run, "--user", user, "-k", 1000, "--history", 100).out
    assert_shown({**CELLS, "user": f"History of user {user}"}, shown)
    for text in list(CELLS.values())[::8]:
        assert say("predict", run, "--user", text, "-k", 1).status == 0


def test_words_that_are_searched_for(say: Command, surroundings: tuple[Path, Path]) -> None:
    run = run_of(surroundings[1], "bm25")
    for text in (ARGUMENT, CELLS["right to left"], CELLS["Rich markup"], CELLS["link"]):
        say("predict", run, "--user", CELLS["TeX"], "-k", 3, "--query", text)


def test_comparisons(say: Command, surroundings: tuple[Path, Path]) -> None:
    runs = [run_of(surroundings[1], model) for model in ("popularity", "coded")]
    asking = ["compare", *runs, "--examples", 100, "--metric", "ndcg@10"]
    shown, found = say(*asking).out, say(*asking, "--json").json
    examples = [e for each in found for kind in ("gains", "losses") for e in each[kind]]
    asked = {e[name] for e in examples for name in ("user", "item", "title", "query")}
    asked |= {e["query_id"] for e in examples if e["query_id"] is not None}
    assert len(asked & set(CELLS.values())) > 10
    assert_shown({text: text for text in asked}, shown)


def test_a_picture_of_identifiers(
    command: Command, surroundings: tuple[Path, Path], tmp_path: Path
) -> None:
    picture = tmp_path / "codes.svg"
    harmless(command("identifiers", run_of(surroundings[1], "coded"), "--picture", picture))
    drawn = picture.read_text(encoding="utf-8")
    assert control_characters(drawn) == []
    assert "<script" not in drawn
    texts = ["".join(each.itertext()) for each in ElementTree.fromstring(drawn).iter()]
    for text in IDENTIFIERS.values():
        assert f"{plain(text)}: use of codes" in texts


def test_identifiers(say: Command, surroundings: tuple[Path, Path]) -> None:
    run = run_of(surroundings[1], "coded")
    assert_shown(IDENTIFIERS, say("identifiers", run).out)
    assert say("identifiers", run, "--json").json.keys() == set(IDENTIFIERS.values())
    for text in (CELLS["link"], CELLS["blanks"], CELLS["JSON"]):
        found = say("identifiers", run, "--item", text, "--others", 100, "--json").json
        assert found["item"] == text
    assert say("identifiers", run, "--item", CELLS["link"], "--others", 100).status == 0


def test_what_goes_out_comes_back(say: Command, surroundings: tuple[Path, Path]) -> None:
    data, results = surroundings
    run = run_of(results, "coded")
    out = Path("out")
    written = say("export", run, "--out", out).out.splitlines()
    assert [Path(line) for line in written] == sorted(out.iterdir())
    for file in out.iterdir():
        lines = file.read_text(encoding="utf-8").split("\n")[:-1]
        fields = {"run": 6, "qrels": 4, "requests": 5}[file.name.partition(".")[0]]
        sep = "\t" if fields == 5 else " "
        assert {len(line.split(sep)) for line in lines} == {fields}
        acting = [c for c in control_characters("".join(lines)) if c != sep]
        assert {category(c) for c in acting} <= ({"Cf", "Zs", "Zl", "Zp"} if fields == 5 else set())
    asked = ["--name", "back", "--dataset", data, "--task", "rec", "--protocol", "full"]
    done = say("import", out / "run.rec.full.txt", *asked, "--json", "--results", "back")
    assert done.json["not_candidates"] == done.json["unanswered"] == 0
    was = json.loads((run / "run.json").read_text())["metrics"]["rec"]["full"]
    for metric in ("ndcg@10", "mrr@10"):
        assert done.json["metrics"]["rec"]["full"][metric] == was[metric]
    assert say("import", out / "run.rec.full.txt", *asked, "--results", "back").status == 0


def test_run_files_and_names(
    command: Command, surroundings: tuple[Path, Path], tmp_path: Path
) -> None:
    file = tmp_path / "x.run"
    asked = ["--dataset", surroundings[0], "--task", "rec", "--protocol", "full"]
    for text in ("".join(ALL.split()), NAMED["NUL"], NAMED["half of a pair"], NAMED["link"]):
        field = text.encode(errors="surrogateescape")
        for content in (b"rec-0 Q0 %b 1 1 x\n", b"%b Q0 i60 1 1 x\n", b"rec-0 Q0 i60 1 %b x\n"):
            file.write_bytes(content % field)
            harmless(command("import", file, "--name", "x", *asked))
    refused(command("import", file, "--name", ARGUMENT, *asked))


def harmless(done: Done) -> None:
    assert done.status in (0, 2)
    assert control_characters(done.out + done.err) == []


def refused(done: Done) -> None:
    harmless(done)
    assert done.status == 2
    assert done.err.startswith("error: ") and done.err.count("\n") == 1


USAGE: dict[str, Callable[[str], list[str]]] = {
    "command": lambda text: [text],
    "option": lambda text: ["run", f"--{text}"],
    "model": lambda text: ["run", "--model", text],
    "data set": lambda text: ["run", "--model", "random", "--dataset", text],
    "setting": lambda text: ["run", "--model", "bm25", "--set", f"{text}=1"],
    "value": lambda text: ["run", "--model", "bm25", "--set", f"k1={text}"],
    "preset": lambda text: ["run", "--model", "bm25", "--preset", text],
    "tasks": lambda text: ["run", "--model", "bm25", "--tasks", text],
    "seeds": lambda text: ["run", "--model", "bm25", "--seeds", text],
    "tuned model": lambda text: ["tune", "--model", text],
    "what to list": lambda text: ["list", text],
    "results": lambda text: ["leaderboard", "--results", f"no/{text}"],
    "board's model": lambda text: ["leaderboard", "--results", ".", "--model", text],
    "board's data set": lambda text: ["leaderboard", "--results", ".", "--dataset", text],
    "board's preset": lambda text: ["leaderboard", "--results", ".", "--preset", text],
    "file": lambda text: ["leaderboard", "--results", ".", "--out", f"no/{text}"],
    "page": lambda text: ["leaderboard", "--results", ".", "--into", f"no/{text}"],
    "run": lambda text: ["predict", f"no/{text}", "--user", "1"],
    "user": lambda text: ["predict", "no", "--user", text],
    "two runs": lambda text: ["compare", f"no/{text}", f"no/{text}"],
    "metric": lambda text: ["compare", "no", "no", "--metric", text],
    "baseline": lambda text: ["check", "--baseline", f"no/{text}", "--results", "."],
    "published run": lambda text: ["publish", f"no/{text}", "--to", "to"],
    "exported run": lambda text: ["export", f"no/{text}", "--out", "out"],
    "run file": lambda text: ["import", f"no/{text}", *["--name", "x", "--dataset", "hostile"],
                              *["--task", "rec", "--protocol", "full"]],
    "coded run": lambda text: ["identifiers", f"no/{text}"],
    "scores": lambda text: ["tiers", f"no/{text}"],
    "described data": lambda text: ["data", "describe", f"no/{text}"],
}  # fmt: skip
"""Each place of a command line where a text can be wrong."""


@pytest.mark.parametrize("place", USAGE)
def test_arguments_that_are_wrong(
    command: Command, surroundings: tuple[Path, Path], place: str
) -> None:
    refused(command(*USAGE[place](ARGUMENT)))
    refused(command(*USAGE[place]("\x1b[31mred\n\udc9b")))


def test_a_folder_and_files_that_are_called_so(command: Command, tmp_path: Path) -> None:
    for text in ("\x1b[31mred", "a\nb\r", "[red]x", os.fsdecode(b"caf\xe9"), ARGUMENT[:60]):
        folder = tmp_path / text
        folder.mkdir()
        harmless(command("data", "describe", folder))
        (folder / f"{text}.inter").write_text("user_id:token\titem_id:token\n")
        harmless(command("data", "describe", folder))
        (folder / "card.yaml").write_text("name: [")
        harmless(command("data", "describe", folder))


def test_cards_that_are_wrong(command: Command, tmp_path: Path) -> None:
    card = write_hostile(tmp_path / "good") / "card.yaml"
    good = json.loads(card.read_text(encoding="utf-8"))
    for text in (ALL, NAMED["colour"], NAMED["NUL"]):
        places: list[dict[str, object]] = [
            {text: 1},
            {"name": text},
            {"split": {"name": text}},
            {"split": {text: 1}},
            {"files": {text: {"name": "x"}}},
            {"files": {"inter": {"name": text}}},
            {"location": {"path": text}},
            {"location": {"package": text}},
            {"title": f"{{{text}}}"},
            {"text": [text]},
            {"grade": text},
            {"queries": {"share": text}},
        ]
        for change in places:
            card.write_text(json.dumps({**good, **change}))
            harmless(command("data", "describe", card.parent))
    for text in (ALL, *list(NAMED.values())[::6]):
        card.write_bytes(text.encode(errors="surrogateescape"))
        harmless(command("data", "describe", card.parent))


def test_systems_of_other_benchmarks(say: Command, tmp_path: Path) -> None:
    rows = ["system,item,score"]
    whole = " ".join(CELLS.values())
    names = {"all": whole, **{name: CELLS[name] for name in ("link", "zero width", "Rich markup")}}
    for number, text in enumerate(names.values()):
        quoted = text.replace('"', '""')
        rows += [f'"{quoted}",{item},{(item * (number + 3)) % 7}' for item in range(4)]
    (tmp_path / "scores.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert_shown(names, say("tiers", tmp_path / "scores.csv").out)
    found = say("tiers", tmp_path / "scores.csv", "--json").json
    assert {each["system"] for each in found["systems"]} == set(names.values())
    for text in (ALL, NAMED["NUL"], NAMED["half of a pair"], NAMED["link"]):
        content = f'"{text}",item,score\na,b,{text}\n'
        (tmp_path / "wrong.csv").write_bytes(content.encode(errors="surrogateescape"))
        assert say("tiers", tmp_path / "wrong.csv").status == 2


TEXTS = ("run", "model", "dataset", "preset", "split", "leakage", "device", "finished", ALL)
FIELDS: dict[str, object] = {
    **dict.fromkeys(TEXTS, ALL),
    **{name: {ALL: ALL} for name in ("facts", "environment", "tuning", "metrics")},
    "tasks": [ALL],
    "phases": [{"name": ALL, "seconds": 1.0, "memory_mib": 1.0}],
    "curve": [{ALL: 1.0, "seconds": 1.0}],
}
"""Values of fields of a record that somebody else has made."""


def test_records_of_others(
    command: Command, surroundings: tuple[Path, Path], tmp_path: Path
) -> None:
    own = run_of(surroundings[1], "bm25")
    run = tmp_path / "runs" / "hostile" / "bm25" / own.name
    shutil.copytree(own, run)
    for table in own.parents[1].glob("*.parquet"):
        shutil.copy(table, run.parents[1])
    original = json.loads((own / "run.json").read_text(encoding="utf-8"))
    for field, value in FIELDS.items():
        change_info(run, **{field: value})
        harmless(command("leaderboard", "--results", tmp_path))
        harmless(command("compare", own, run, "--examples", 0))
        change_info(run, **{field: original.get(field)})
    change_info(run, settings={ALL: ALL}, changed={ALL: ALL}, ablation={"name": ALL, "full": {}})
    for form in ("md", "html", "latex", "json"):
        harmless(command("leaderboard", "--results", tmp_path, "--format", form))
    harmless(command("check", "--baseline", tmp_path, "--results", surroundings[1]))
    harmless(command("publish", run, "--to", "kept"))


def test_models_that_fail(
    command: Command, surroundings: tuple[Path, Path], tmp_path: Path
) -> None:
    failing = ["--model", "angry", "--dataset", surroundings[0], "--results", tmp_path]
    for wanted in (["run"], ["run", "--json"], ["run", "--debug"], ["tune", "--trials", 2]):
        done = command(*wanted, *failing)
        assert done.status == 2
        assert control_characters(done.out + done.err) == []


@pytest.mark.parametrize("say", [None], indirect=True)
def test_boards_checks_and_publishing(say: Command, surroundings: tuple[Path, Path]) -> None:
    _, results = surroundings
    shown = ["leaderboard", "--results", results]
    for form in ("md", "html", "latex", "json"):
        assert say(*shown, "--format", form).status == 0
    assert say("check", "--baseline", results, "--results", results).status == 0
    stored = say("publish", run_of(results, "bm25"), "--to", "kept").out
    assert Path(stored.removesuffix("\n")).is_dir()
    assert say("run", "--model", "bm25", "--dataset", "hostile", "--results", results).status == 0
