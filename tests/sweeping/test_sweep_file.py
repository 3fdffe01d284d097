"""Sweep files are read strictly, and those of the committed tables ask for what these hold."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import InputError
from benchmark.running.plan import Experiment
from benchmark.settings import build_settings
from benchmark.sweeping.jobs import Wish, wishes_of
from benchmark.sweeping.sweep_file import read_sweep

ROOT = Path(__file__).resolve().parents[2]
GOOD = "runs:\n  - models: [popularity]\n    seeds: [1]\n"


def _wishes(file: Path) -> list[Wish]:
    sweep, lines = read_sweep(file)
    return wishes_of(sweep, lines, str(file))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "a sweep file is a mapping"),
        ("runs: []\n", ":1: field 'runs': "),
        ("description: x\n", "field 'runs' is missing"),
        (GOOD + "    sed: [2]\n", ":4: unknown field 'runs.0.sed'; did you mean 'seeds'?"),
        (GOOD.replace("[1]", "[-1]"), ":3: field 'runs.0.seeds.0': "),
        (GOOD.replace("[1]", "[one]"), ":3: field 'runs.0.seeds.0': "),
        (GOOD.replace("[popularity]", "[]"), ":2: field 'runs.0.models': "),
        (GOOD + "    presets: [slow]\n", ":4: field 'runs.0.presets.0': "),
        (GOOD + "    protocols: [half]\n", ":4: field 'runs.0.protocols.0': "),
        (GOOD + "    seeds: [2]\n", ":4: field 'seeds' is already on line 3"),
        (GOOD + "    set: {k: {a: 1}}\n", ":4: "),
        (GOOD + "    device: tpu\n", ":4: field 'runs.0.device': "),
        (GOOD + "    set: !!python/object:os.system {}\n", ":4: tags"),
        (GOOD.replace("popularity", "popularty"), ":2: runs.0: unknown model 'popularty'; did you"),
        (GOOD + "    set: {width: 3}\n", ":2: runs.0: --set width"),
        (
            GOOD.replace("popularity", "bm25") + "    tasks: [rec]\n",
            ":2: runs.0: model bm25 serves",
        ),
        (GOOD + "    ablations: true\n", ":2: runs.0: --ablations: model popularity offers none"),
    ],
)
def test_what_is_wrong_is_told_with_file_line_and_field(
    text: str, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        _wishes(file)
    message = str(caught.value)
    assert message.startswith(str(file)) and "\n" not in message
    assert told in message, message


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape("mine.yaml: no such file")):
        _wishes(tmp_path / "mine.yaml")


def test_settings_reach_the_models_that_have_them(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "runs:\n- models: [bm25, sasrec]\n  presets: [quick, standard]\n"
        "  set: {k1: 2, sasrec.learning_rate: 1e-4, sasrec.epochs: 7}\n"
    )
    settings = [(w.experiment.preset, w.experiment.settings) for w in _wishes(file)]
    assert [preset for preset, _ in settings] == ["quick", "quick", "standard", "standard"]
    for (_, bm25), (_, sasrec) in zip(settings[::2], settings[1::2], strict=True):
        assert bm25.k1 == 2 and (sasrec.learning_rate, sasrec.epochs) == (1e-4, 7)


COMMITTED = {
    "ml-100k": "published",
    "ml-100k-temporal": "published",
    "amazon-office": "published",
    "lastfm": "published",
    "lastfm-hypersar": "published",
    "amazon-beauty": "published",
    "ablations": "ablations",
    "baseline": "baseline",
}
"""By sweep file, the folder of ``results/`` that holds its runs."""
Asked = tuple[str, str, str, str, str, int]
"""Data set, model, preset, ablation, tasks, seed."""


def _settings(experiment: Experiment) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return all settings of a wish, and those that are not its preset's, as records hold them."""
    kind = experiment.entry.load()
    usual = asdict(build_settings(kind.Settings, kind.presets, experiment.preset))
    own = json.loads(json.dumps(asdict(experiment.settings)))
    return own, {
        name: own[name]
        for name, value in asdict(experiment.settings).items()
        if value != usual[name]
    }


def test_every_committed_sweep_is_known() -> None:
    assert {file.stem for file in (ROOT / "sweeps").iterdir()} == set(COMMITTED)


@pytest.mark.parametrize("name", COMMITTED)
def test_the_committed_sweeps_ask_for_what_the_committed_tables_hold(name: str) -> None:
    wishes = _wishes(ROOT / "sweeps" / f"{name}.yaml")
    datasets = {w.source.dataset for w in wishes}
    found = (ROOT / "results" / COMMITTED[name]).glob("runs/*/*/*/run.json")
    infos = [
        info for file in found if (info := json.loads(file.read_text()))["dataset"] in datasets
    ]
    # A data set without searches asks for less than a model serves.
    served = {d: {t for i in infos if i["dataset"] == d for t in i["tasks"]} for d in datasets}
    asked: dict[Asked, tuple[Wish, Experiment]] = {}
    for w in wishes:
        for e in w.experiment.with_ablations() if w.block.ablations else [w.experiment]:
            tasks = " ".join(task for task in e.tasks if task in served[w.source.dataset])
            for seed in w.block.seeds:
                key = w.source.dataset, e.entry.name, e.preset, _part(e.ablation), tasks, seed
                asked[key] = w, e
    held: set[Asked] = set()
    for info in infos:
        part, tasks = (info.get("ablation") or {}).get("name", ""), " ".join(info["tasks"])
        key = info["dataset"], info["model"], info["preset"], part, tasks, info["seed"]
        held.add(key)
        assert key in asked, key
        wish, experiment = asked[key]
        assert wish.block.tuned == (info["tuning"] is not None), key
        own, changed = _settings(experiment)
        # A record of older defaults is one of the same wish where as much was changed.
        same = all(own[n] == value for n, value in info["settings"].items() if n in own)
        assert wish.block.tuned or same or changed == info["changed"], key
    assert held == set(asked)


def _part(ablation: object) -> str:
    return getattr(ablation, "name", "")
