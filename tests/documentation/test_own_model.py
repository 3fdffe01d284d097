"""The model and the data set that the documentation spells out are whole, small and good."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from benchmark.data.dataset import Dataset
from benchmark.registry import find
from benchmark.testing import CHECKS, Subject
from tests.documentation.document import FILES, code_lines
from tests.documentation.shell import Shell

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def test_the_model_s_package_holds_together() -> None:
    described = tomllib.loads(FILES["tfidf/pyproject.toml"])
    module, _, attribute = described["project"]["entry-points"]["benchmark.models"][
        "tfidf"
    ].partition(":")
    assert module in described["tool"]["setuptools"]["py-modules"]
    assert re.search(rf"^{attribute} = ", FILES[f"tfidf/src/{module}.py"], re.M)


def test_the_model_has_twenty_lines() -> None:
    lines = FILES["tfidf/src/tfidf.py"].splitlines()
    assert len(code_lines(FILES["tfidf/src/tfidf.py"])) <= 20
    assert max(map(len, lines)) <= 100


@pytest.mark.usefixtures("shell")
def test_the_model_conforms(tiny: Dataset) -> None:
    subject = Subject(find("tfidf"), tiny)
    for check in CHECKS:
        check(subject)


def test_the_model_runs_on_other_data(shell: Shell, tiny_folder: Path) -> None:
    command = "python -m benchmark run --model tfidf --json --results tiny-results --dataset"
    done = shell.spawn(f"{command} {shlex.quote(str(tiny_folder))}")
    assert done.status == 0, done.stderr
    metrics = json.loads(done.stdout)[0]["metrics"]
    assert set(metrics) == {"rec", "search"}
    assert metrics["search"]["full"]["ndcg@10"] > 0.1


def test_the_data_set_is_small_and_needs_no_card(shell: Shell) -> None:
    atomic = {name: text for name, text in FILES.items() if name.startswith("books/books.")}
    assert sum(len(code_lines(text)) for text in atomic.values()) <= 20
    assert len(code_lines(FILES["books/card.yaml"])) <= 20
    bare = shell.place / "bare" / "books"
    bare.mkdir(parents=True)
    for name, text in atomic.items():
        (bare / Path(name).name).write_text(text, encoding="utf-8")
    command = "python -m benchmark run --model popularity --json --results bare/results --dataset"
    for folder, told in (("bare/books", "no card"), ("./books", "")):
        done = shell.run(f"{command} {folder}")
        assert done.status == 0, done.stderr
        assert told in done.stderr
        assert set(json.loads(done.stdout)[0]["metrics"]) == {"rec", "search"}
