from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from benchmark.data.dataset import Dataset
from tests.gensar.support import SMALL, without_text_encoder

from .conftest import Command, assert_refused


@pytest.fixture(scope="module")
def gensar_run(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Path:
    """The folder of a small GenSAR's run on the tiny data set."""
    from typer.testing import CliRunner

    from benchmark.cli.app import app

    results = tmp_path_factory.mktemp("predict")
    assignments = [
        f"{name}={','.join(map(str, value)) if isinstance(value, tuple) else value}"
        for name, value in {**SMALL, "num_beams": 150}.items()
    ]
    sets = [part for each in assignments for part in ("--set", each)]
    with without_text_encoder():
        done = CliRunner().invoke(
            app,
            [
                *("run", "--model", "gensar,popularity", *sets),
                *("--dataset", str(tiny_folder), "--results", str(results)),
            ],
        )
    assert done.exit_code == 0, done.output
    return next((results / "runs" / "tiny" / "gensar").iterdir())


@pytest.fixture
def predict(command: Command, gensar_run: Path, tiny_folder: Path) -> Command:
    def call(*arguments: object) -> object:
        return command("predict", gensar_run, "--dataset", tiny_folder, *arguments)

    return call


def test_both_tasks_are_answered_in_words(predict: Command) -> None:
    found = predict("--user", "u1", "--query", "drama", "-k", 4, "--json")
    assert found.status == 0
    rec, search = found.json["answers"]
    assert (rec["task"], search["task"], search["query"]) == ("rec", "search", "drama")
    shown = predict("--user", "u1", "--query", "drama", "-k", 4).out
    for answer in (rec, search):
        assert len(answer["results"]) == 4
        assert answer["history"]
        for each in (*answer["results"], *answer["history"]):
            assert each["title"] in shown
        for each in answer["results"]:
            assert f"{each['score']:.4f}" in shown


def test_users_are_named_by_their_ids(predict: Command, tiny: Dataset) -> None:
    for user in ("u7", "u10", "u59"):
        found = predict("--user", user, "--history", 100, "--json").json
        assert found["user"] == user
        assert f"History of user {user}," in predict("--user", user).out
        log, number = tiny.log, tiny.users.index(user)
        own = log.item[log.offsets[number] : log.offsets[number + 1]]
        history = [each["item"] for each in found["answers"][0]["history"]]
        assert history == [tiny.items.ids[item] for item in own[: len(history)]]
    unknown = predict("--user", "u6O")
    assert_refused(unknown)
    assert "no user 'u6O'; did you mean 'u6'?" in unknown.err


def test_what_the_user_took_next_is_shown(predict: Command) -> None:
    (rec, *_) = predict("--user", "u1", "-k", 120, "--json").json["answers"]
    taken = [each for each in rec["results"] if each["taken"]]
    assert {each["title"] for each in taken} == {each["title"] for each in rec["taken"]}
    assert "taken next" in predict("--user", "u1", "-k", 120).out
    assert "taken next" in predict("--user", "u1", "-k", 1).out


def test_the_history_is_cut_to_its_newest_events(predict: Command) -> None:
    whole = predict("--user", "u1", "--history", 100, "--json").json["answers"][0]["history"]
    for length in (0, 2):
        cut = predict("--user", "u1", "--history", length, "--json").json["answers"][0]["history"]
        assert cut == whole[len(whole) - length :]


def test_bad_questions_are_refused(
    predict: Command, command: Command, gensar_run: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    assert_refused(predict("--user", "1"))
    assert_refused(predict("--user", "u1", "--query", " "))
    assert_refused(predict("--user", "u1", "-k", 0))
    assert_refused(predict("--user", "u1", "--query", "drama \udcff"))
    assert_refused(command("predict", tmp_path, "--user", "u1"))
    assert_refused(command("predict", gensar_run, "--user", "u1", "--dataset", "ml-100k"))


def test_words_of_every_script_are_searched_for(predict: Command) -> None:
    for words in ("drama\u3000comedy", "drama\u00a0comedy", "drama\u200cs"):
        assert (
            predict("--user", "u1", "--query", words, "--json").json["answers"][1]["query"] == words
        )


def test_no_number_of_results_or_events_is_too_large(predict: Command) -> None:
    many = predict("--user", "u1", "-k", 10**20, "--history", 10**20, "--json")
    assert many.status == 0
    assert many.json == predict("--user", "u1", "-k", 120, "--history", 100, "--json").json


def test_identifiers_of_an_item_and_who_shares_them(command: Command, gensar_run: Path) -> None:
    found = command("identifiers", gensar_run, "--item", "i1", "--json")
    assert found.status == 0
    about = found.json
    assert set(about["identifiers"]) == {"semantic", "collaborative"}
    shown = command("identifiers", gensar_run, "--item", "i1", "--others", 1000).out
    for prefixes in about["identifiers"].values():
        assert [len(each["prefix"]) for each in prefixes] == list(range(1, len(prefixes) + 1))
        sizes = [len(each["items"]) for each in prefixes]
        assert sizes == sorted(sizes, reverse=True)
        for each in prefixes:
            other = [item["item"] for item in each["items"]]
            assert about["item"] not in other
            for item in each["items"]:
                assert item["title"] in shown
    first, second = (about["identifiers"][kind][0] for kind in ("semantic", "collaborative"))
    assert first == second


def test_the_use_of_codes_is_shown_and_drawn(
    command: Command, gensar_run: Path, tmp_path: Path
) -> None:
    pictures = [tmp_path / name for name in ("one.svg", "two.svg")]
    for file in pictures:
        done = command("identifiers", gensar_run, "--picture", file)
        assert done.status == 0
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    drawn = pictures[0].read_text(encoding="utf-8")
    facts = command("identifiers", gensar_run, "--json").json
    for kind in ("semantic", "collaborative"):
        assert kind in done.out and f"{kind}: use of codes" in drawn
        assert f"{facts[kind]['levels'][0]['perplexity']:.1f}" in done.out


def test_what_has_no_identifiers_is_refused(
    command: Command, gensar_run: Path, tmp_path: Path
) -> None:
    popularity = next((gensar_run.parents[1] / "popularity").iterdir())
    assert_refused(command("identifiers", popularity))
    results = shutil.copytree(gensar_run.parents[3], tmp_path / "of older times")
    older = results / Path(*gensar_run.parts[-4:])
    about = json.loads((older / "run.json").read_text(encoding="utf-8"))
    about["facts"]["identifiers"] = {"codes_used_by_level": [3, 3]}
    (older / "run.json").write_text(json.dumps(about), encoding="utf-8")
    checksums = json.loads((older / "checksums.json").read_text(encoding="utf-8"))
    checksums["run.json"] = hashlib.sha256((older / "run.json").read_bytes()).hexdigest()
    (older / "checksums.json").write_text(json.dumps(checksums), encoding="utf-8")
    refused = command("identifiers", older)
    assert_refused(refused)
    assert "an older version" in refused.err
    picture = tmp_path / "half.svg"
    assert_refused(command("identifiers", gensar_run, "--item", "no such", "--picture", picture))
    assert not picture.exists()
    before = (gensar_run / "run.json").read_bytes()
    assert_refused(command("identifiers", gensar_run, "--picture", gensar_run / "run.json"))
    assert (gensar_run / "run.json").read_bytes() == before
    assert_refused(command("identifiers", gensar_run, "--picture", tmp_path / "none" / "x.svg"))
