"""A user's own copy of KuaiSAR, from a folder to a result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.data.generated.kuaisar import FILES, FULL, write_folder

from .conftest import Command, assert_refused

CARD = """\
name: mine
description: d
source: s
licence: l
citation: c
format: kuaisar
files:
  rec: {name: rec_inter.csv}
  search: {name: src_inter.csv}
  items: {name: item_features.csv}
text: [caption]
candidates: {protocols: [given]}
split: {name: days, zone: Asia/Shanghai}
"""


def test_a_folder_with_a_card_is_described_and_run_on(command: Command, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "data", replace(FULL.scaled(5e-5), users=20, hours=72.0))
    (folder / "card.yaml").write_text(CARD, encoding="utf-8")
    described = command("data", "describe", folder, "--json").json
    assert described["split"] == "days"
    assert described["events"]["rec"] > described["events"]["search"] > 0
    run = ("run", "--model", "popularity", "--dataset", folder, "--preset", "quick", "--json")
    (record,) = command(*run).json
    assert {task: list(by) for task, by in record["metrics"].items()} == {
        "rec": ["given"],
        "search": ["given"],
    }


def test_a_spoilt_file_ends_in_one_line_and_status_2(command: Command, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "data", replace(FULL.scaled(5e-5), users=20, hours=72.0))
    (folder / "card.yaml").write_text(CARD, encoding="utf-8")
    path = folder / FILES["rec"]
    lines = path.read_text(encoding="utf-8").split("\n")
    lines[6] = "nobody" + lines[6]
    path.write_text("\n".join(lines), encoding="utf-8")
    done = command("data", "prepare", folder)
    assert_refused(done)
    assert "rec_inter.csv:7: user_id 'nobody" in done.err
