from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from benchmark.data.locate import card_names
from benchmark.evaluation.metrics import LIST_METRICS, METRICS
from benchmark.registry import available, find
from benchmark.search_space import space_of
from benchmark.settings import PRESETS

from .conftest import Command, assert_refused, assert_stopped


def test_models_as_json_follow_the_contract(command: Command) -> None:
    done = command("list", "models", "--json")
    assert (done.status, done.err) == (0, "")
    assert all(row.keys() == {"name", "tasks", "group", "summary"} for row in done.json)
    assert [row["name"] for row in done.json] == sorted(available())
    groups = {row["name"]: row["group"] for row in done.json}
    assert groups["random"] == groups["constant"] == "diagnostic"
    assert all(set(row["tasks"]) <= {"rec", "search"} and row["tasks"] for row in done.json)


def test_datasets_and_metrics_as_json(command: Command) -> None:
    rows = command("list", "datasets", "--json").json
    assert [row["name"] for row in rows] == sorted(card_names())
    assert "ml-100k" in {row["name"] for row in rows}
    names = [row["name"] for row in command("list", "metrics", "--json").json]
    assert {*METRICS, *LIST_METRICS, "expndcg@10"} == set(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("what", ["models", "datasets", "metrics"])
def test_the_table_holds_what_the_json_holds(command: Command, what: str) -> None:
    table = command("list", what)
    assert (table.status, table.err) == (0, "")
    for row in command("list", what, "--json").json:
        (line,) = [
            n for n in table.out.splitlines() if n.split("│")[1:2] == [_cell(row, table.out)]
        ]
        for value in row.values():
            assert (", ".join(value) if isinstance(value, list) else value) in line


def _cell(row: dict[str, str], table: str) -> str:
    width = next(len(n.split("│")[1]) for n in table.splitlines() if n.startswith("│"))
    return f" {row['name']}".ljust(width)


def test_models_are_what_is_listed_first(command: Command) -> None:
    assert command("list").out == command("list", "models").out


def test_listing_imports_no_torch() -> None:
    code = (
        "import sys; from benchmark.cli import main; sys.argv[1:] = ['list', 'models']\n"
        "try: main()\n"
        "finally: assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "popularity" in done.stdout


def test_runs_are_listed_by_what_other_commands_take(
    command: Command, popularity: Command, tmp_path: Path
) -> None:
    for seed in (1, 2):
        popularity("--seed", seed)
    rows = command("list", "runs", "--json").json
    assert [row["seed"] for row in rows] in ([2, 1], [1, 2])
    assert all((tmp_path / row["folder"] / "run.json").is_file() for row in rows)
    shown = command("list", "runs").out
    ids = [row["id"] for row in rows]
    assert all(each in shown for each in ids)
    by_id = command("compare", *ids, "--json")
    assert by_id.err.count("results/runs/tiny/popularity/") >= 2
    assert by_id.json == command("compare", *(row["folder"] for row in rows), "--json").json
    newest = command("predict", "popularity", "--user", "u1", "--json")
    assert f"popularity: {rows[0]['folder']}" in newest.err
    assert_stopped(command("compare", "popularity", "c"))
    assert_refused(command("list", "runs", "--results", "nowhere"))


@pytest.mark.parametrize("name", ["sasrec", "gensar", "bm25", "popularity", "encoder:minilm"])
def test_a_model_is_shown_with_what_can_be_set(command: Command, name: str) -> None:
    said = command("list", "models", name, "--json").json
    kind = find(name).load()
    assert [row["name"] for row in said["settings"]] == [
        f.name for f in fields(kind.Settings) if f.name not in dict(find(name).settings)
    ]
    shown = command("list", "models", name).out
    for row in said["settings"]:
        assert row["about"] in shown
        assert f" {row['name']} " in shown
        assert set(row["values"]) == set(PRESETS)
    searched = {row["name"] for row in said["settings"] if row["searched"]}
    assert searched == set(space_of(kind.Settings, kind.search_space))


def test_the_values_shown_are_those_that_runs_record(command: Command, tiny_folder: Path) -> None:
    run = command("run", "--model", "bm25", "--dataset", tiny_folder, "--preset", "quick")
    assert run.status == 0
    (record,) = Path("results").rglob("run.json")
    said = command("list", "models", "bm25", "--json").json["settings"]
    values = {row["name"]: row["values"]["quick"] for row in said}
    assert values == json.loads(record.read_text())["settings"]


def test_what_has_no_page_of_its_own_is_refused(command: Command) -> None:
    for what, name in (("datasets", "ml-100k"), ("metrics", "ndcg@10"), ("models", "sasrek")):
        done = command("list", what, name)
        assert_refused(done)
        assert name in done.err
    assert "sasrec" in done.err
